/**
 * commit: drops for good the side that a run has put away: the old side of a recovery (which ends undo), the side that an undo
 * has left.
 */
import { audited } from "../core/audit/audited.ts";
import { withComponents } from "../core/components/component-access.ts";
import type { Journal } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { keptAway, keptSides } from "../core/run/kept-sides.ts";
import { isLive } from "../core/run/legal-transitions.ts";
import { retiredComponents, switchedComponents } from "../core/run/switched-components.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export type CommitResult = { readonly run: RunNumber; readonly discarded: readonly string[] };

/** @throws RefloatError run.wrong-state unless the run succeeded and was neither undone nor committed; run.in-progress */
export const commit = async (
  bench: Workbench,
  options: { readonly run: RunNumber; readonly signal: AbortSignal },
): Promise<CommitResult> => {
  const journal = await bench.journal();
  const { service } = (await journal.readRun(options.run)).record;
  // An undo that another process executes may be putting back the very side that would be dropped.
  const lease = await (await bench.leases()).acquire(service, `commit of run ${options.run}`);
  try {
    return await commitUnderLease(bench, journal, options);
  } finally {
    await lease.release();
  }
};

const commitUnderLease = async (
  bench: Workbench,
  journal: Journal,
  { run, signal }: { readonly run: RunNumber; readonly signal: AbortSignal },
): Promise<CommitResult> => {
  const { record, plan } = await journal.readRun(run);
  const runs = await journal.listRuns(record.service);
  if (record.state !== "succeeded") throw nothingToDrop(record, runs);
  refuseBesideLiveRun(record, runs);
  const discarded = [...keptSides(record), ...keptAway(record)].map(({ name }) => name);
  const act = { action: "commit", service: record.service, detail: { run, discarded } } as const;
  return audited(
    bench.audit,
    act,
    async () => {
      await discardSides(bench, record, plan, signal);
      // Written last: a commit that was killed half way is simply given again, and what is gone already is no error.
      await journal.record(run, record.epoch, bench.clock.now().toISOString(), { run: { state: "committed" } });
      return { run, discarded };
    },
    () => ({ detail: {} }),
  );
};

const discardSides = async (bench: Workbench, record: RunRecord, plan: Plan, signal: AbortSignal): Promise<void> => {
  const switched = switchedComponents(record);
  const at = { locate: () => null, marker: `refloat/${record.number}/commit`, signal };
  const { declaration, failback } = plan.intent;
  if (failback !== undefined)
    await withComponents(bench, { ...at, service: failback.declaration }, async (access) => {
      for (const { component, name } of retiredComponents(record))
        await access.driver(component).switching.discard(await access.context(component), name);
    });
  await withComponents(bench, { ...at, service: declaration }, async (access) => {
    // Also where nothing stood before: what remembers that nothing for an undo goes.
    for (const { component, outgoing } of switched)
      await access.driver(component).switching.discard(await access.context(component), outgoing);
  });
};

const nothingToDrop = (record: RunRecord, runs: readonly RunRecord[]): RefloatError => {
  const undo =
    record.state === "undone" ? runs.find((run) => run.purpose === "undo" && run.number > record.number) : undefined;
  return new RefloatError(
    "run.wrong-state",
    `run ${record.number} is ${record.state}; only a run that succeeded has put a side away that can be dropped`,
    {
      ...(undo?.state === "succeeded" ? { hint: `the side that its undo has left is dropped with that run` } : {}),
      nextCommand: undo?.state === "succeeded" ? `refloat commit ${undo.number}` : `refloat runs ${record.number}`,
    },
  );
};

const refuseBesideLiveRun = (record: RunRecord, runs: readonly RunRecord[]): void => {
  const live = runs.find(({ state }) => isLive(state));
  if (live === undefined) return;
  throw new RefloatError(
    "run.in-progress",
    `run ${live.number} of ${live.service} is not finished, and may still need what run ${record.number} keeps`,
    { nextCommand: `refloat resume ${live.number}`, context: { run: live.number, state: live.state } },
  );
};
