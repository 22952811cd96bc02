/** commit: drops the old side of a run for good, and what the run kept only for an undo. Ends undo. */
import { withComponents } from "../core/components/component-access.ts";
import { switchedComponents } from "../core/run/switched-components.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { RunNumber } from "../model/identifiers.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type CommitResult = { readonly run: RunNumber; readonly discarded: readonly string[] };

/** @throws RefloatError run.wrong-state unless the run succeeded and was neither undone nor committed */
export const commit = async (
  bench: Workbench,
  options: { readonly run: RunNumber; readonly signal: AbortSignal },
): Promise<CommitResult> => {
  const journal = await bench.journal();
  const { record, plan } = await journal.readRun(options.run);
  if (record.state !== "succeeded" || record.purpose !== "recover") {
    throw new RefloatError(
      "run.wrong-state",
      `run ${record.number} is ${record.state}; only a recovery that succeeded has an old side to drop`,
      {
        nextCommand: `refloat runs ${record.number}`,
      },
    );
  }
  const switched = switchedComponents(record);
  await withComponents(
    bench,
    {
      service: plan.intent.declaration,
      locate: () => null,
      marker: `refloat/${record.number}/commit`,
      signal: options.signal,
    },
    async (access) => {
      for (const { component, outgoing } of switched) {
        await access.driver(component).switching.discard(await access.context(component), outgoing);
      }
    },
  );
  // Written last: a commit that was killed half way is simply given again, and what is gone already is no error.
  await journal.record(record.number, record.epoch, bench.clock.now().toISOString(), { run: { state: "committed" } });
  return { run: record.number, discarded: switched.map(({ outgoing }) => outgoing) };
};
