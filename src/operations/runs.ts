/** runs: what has been recovered, is being recovered, or waits for somebody. */
import type { Workbench } from "../core/ports/workbench.ts";
import { withTrueState } from "../core/run/true-state.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import type { RunEvent, RunRecord } from "../model/run.ts";

export const listRuns = async (bench: Workbench, service: string | null): Promise<readonly RunRecord[]> => {
  const journal = await bench.journal();
  const leases = await bench.leases();
  const records: RunRecord[] = [];
  for (const record of await journal.listRuns(service ?? undefined))
    records.push(await withTrueState(journal, leases, record));
  return records;
};

export type RunDetail = { readonly record: RunRecord; readonly plan: Plan; readonly events: readonly RunEvent[] };

export const readRun = async (bench: Workbench, run: RunNumber): Promise<RunDetail> => {
  const journal = await bench.journal();
  const { record, plan } = await journal.readRun(run);
  return {
    record: await withTrueState(journal, await bench.leases(), record),
    plan,
    events: await journal.events(run),
  };
};
