/** Runs that wait for somebody: interrupted ones, also by a death without a word, and those that need an answer or a person. */
import type { Workbench } from "../core/ports/workbench.ts";
import { withTrueState } from "../core/run/true-state.ts";
import type { Plan } from "../model/plan.ts";
import type { RunRecord } from "../model/run.ts";
import { waitsForSomebody } from "../core/run/waiting-words.ts";

export type UnfinishedRun = { readonly record: RunRecord; readonly plan: Plan };

/** Newest first. @throws RefloatError journal.failed */
export const unfinishedRuns = async (bench: Workbench): Promise<readonly UnfinishedRun[]> => {
  const journal = await bench.journal();
  const leases = await bench.leases();
  const unfinished: UnfinishedRun[] = [];
  for (const journaled of await journal.listRuns()) {
    const record = await withTrueState(journal, leases, journaled);
    if (waitsForSomebody(record.state)) unfinished.push({ record, plan: (await journal.readRun(record.number)).plan });
  }
  return unfinished;
};
