/** runs --follow: what the journal says of a run while another process executes it. Progress within a step is not journaled and not seen. */
import type { Workbench } from "../core/ports/workbench.ts";
import { withTrueState } from "../core/run/true-state.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { RunEvent } from "../model/run.ts";

const lookEveryMs = 500;

export type FollowOptions = {
  readonly run: RunNumber;
  /** Events up to this one are known already; 0 for none. */
  readonly afterSequence: number;
  readonly signal: AbortSignal;
};

/** Ends when nobody executes the run any more: it has ended, waits, or was interrupted. @throws RefloatError run.unknown */
export const followRun = async function* (bench: Workbench, options: FollowOptions): AsyncGenerator<RunEvent> {
  const journal = await bench.journal();
  const leases = await bench.leases();
  let after = options.afterSequence;
  for (;;) {
    // The state is read before the events: what came in between is then among the events and not lost.
    const { state } = await withTrueState(journal, leases, (await journal.readRun(options.run)).record);
    for (const event of await journal.events(options.run, after)) {
      if (event.type !== "progress") after = event.sequence;
      yield event;
    }
    if (state !== "running") return;
    await bench.clock.sleep(lookEveryMs, options.signal);
  }
};
