/** runs: what has been recovered, is being recovered, or waits for somebody. */
import type { Workbench } from "../core/ports/workbench.ts";
import { withTrueState } from "../core/run/true-state.ts";
import { readDisarmed } from "../core/run/read-disarmed.ts";
import { servingRun } from "../core/run/serving-run.ts";
import { switchedComponents } from "../core/run/switched-components.ts";
import type { DisarmedComponent } from "../model/arming.ts";
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

/**
 * What a committed run has put behind a name without its acting, and what still does not act there.
 * @returns null where it is not said: of a run that is not committed, or whose service is not declared here; and where a server cannot be asked
 */
export const readStillOff = async (
  bench: Workbench,
  { record }: Pick<RunDetail, "record">,
  signal: AbortSignal,
): Promise<readonly DisarmedComponent[] | null> => {
  if (record.state !== "committed") return null;
  const service = (await bench.declaration()).services[record.service];
  if (service === undefined) return null;
  const runs = await (await bench.journal()).listRuns(record.service);
  const own = new Set(
    switchedComponents(record).flatMap(({ component }) =>
      servingRun(runs, component)?.number === record.number ? component : [],
    ),
  );
  const { disarmed, undisclosed } = await readDisarmed(bench, { service, runs, signal });
  return undisclosed.some(({ component }) => own.has(component))
    ? null
    : disarmed.filter(({ component }) => own.has(component));
};
