/**
 * Keeps a process whose run was taken up on another machine from acting on: one that slept through it wakes up in the middle of a
 * cutover, with a journal of its own that knows nothing of it. Asks, and breaks the run off; protects no single effect, which the
 * identities that a switch compares do.
 */
import type { Clock, Log } from "../core/ports/environment.ts";
import { stageOf } from "../core/run/step-graph.ts";
import type { PlanStep } from "../model/plan.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";
import { runBounded } from "./bounded-work.ts";
import type { LiveRun } from "./live-run.ts";

export type TakeoverGuard = {
  /** @throws RefloatError run.fenced, after which the run is broken for this process */
  readonly beforeEffect: (live: LiveRun, step: PlanStep) => Promise<void>;
};

export type TakeoverGuardParts = {
  readonly ask: ((run: RunRecord, signal: AbortSignal) => Promise<string | null>) | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly askMs: number;
};

export const createTakeoverGuard = ({ ask, clock, log, askMs }: TakeoverGuardParts): TakeoverGuard => ({
  beforeEffect: async (live, step) => {
    // Before the cutover nothing live is touched, and what a run makes beside it bears its own name.
    if (ask === null || (live.direction === "forward" && stageOf(step.phase) === 0)) return;
    const stop = new AbortController().signal;
    const end = await runBounded((signal) => ask(live.record, signal), { clock, timeoutMs: askMs, graceMs: 0, stop });
    if (end.kind !== "returned") {
      // A vault that cannot be asked must not keep traffic held.
      const why = end.kind === "threw" ? toRefloatError(end.error).message : "it took too long";
      log.warn("other machines could not be asked for the run", { run: live.number, why });
      return;
    }
    if (end.value === null) return;
    const error = new RefloatError("run.fenced", `run ${live.number} was taken up ${end.value}`, {
      state: `this process stopped before ${step.id} and changes nothing more`,
      hint: "look there for how it goes on; or take it back over here",
      nextCommand: `refloat resume ${live.uid}`,
      context: { run: live.number, uid: live.uid },
    });
    live.breakOff(error);
    throw error;
  },
});
