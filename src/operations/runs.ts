/** runs: what has been recovered, is being recovered, or waits for somebody. */
import type { Workbench } from "../core/ports/workbench.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import type { RunEvent, RunRecord } from "../model/run.ts";

export const listRuns = async (bench: Workbench, service: string | null): Promise<readonly RunRecord[]> => {
  const journal = await bench.journal();
  return service === null ? journal.listRuns() : journal.listRuns(service);
};

export type RunDetail = { readonly record: RunRecord; readonly plan: Plan; readonly events: readonly RunEvent[] };

export const readRun = async (bench: Workbench, run: RunNumber): Promise<RunDetail> => {
  const journal = await bench.journal();
  return { ...(await journal.readRun(run)), events: await journal.events(run) };
};
