/**
 * Runs what a handler does within its limits: a time limit, a signal to stop, and a grace for obeying it. Only waits and
 * signals; it never assumes that work which was told to stop has stopped.
 */
import type { Clock } from "../core/ports/environment.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type WorkEnd<Result> =
  | { readonly kind: "returned"; readonly value: Result }
  | { readonly kind: "threw"; readonly error: unknown }
  /** It threw after it was told to stop: what it threw says nothing. */
  | { readonly kind: "stopped" }
  | { readonly kind: "timed-out" }
  /** It was told to stop and did not within the grace. It may still act. */
  | { readonly kind: "stuck" };

export type WorkLimits = {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly graceMs: number;
  /** Aborts when the run must stop. */
  readonly stop: AbortSignal;
};

/** Beyond this Node's timers fire at once: a limit that is longer is none. */
const longestTimerMs = 2 ** 31 - 1;

export const runBounded = async <Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  { clock, timeoutMs, graceMs, stop }: WorkLimits,
): Promise<WorkEnd<Result>> => {
  const told = new AbortController();
  const over = new AbortController();
  let timedOut = false;
  const passOn = (): void => told.abort(stop.reason);
  stop.addEventListener("abort", passOn, { once: true });
  if (stop.aborted) passOn();

  const after = async (ms: number, act: () => void): Promise<void> => {
    try {
      await clock.sleep(ms, over.signal);
    } catch {
      return;
    }
    act();
  };
  if (timeoutMs <= longestTimerMs) {
    void after(timeoutMs, () => {
      if (told.signal.aborted) return;
      timedOut = true;
      told.abort(new RefloatError("step.timeout", `it took longer than ${Math.ceil(timeoutMs / 1000)} s`));
    });
  }
  const stuck = new Promise<WorkEnd<Result>>((resolve) => {
    const beginGrace = (): void => void after(graceMs, () => resolve({ kind: "stuck" }));
    told.signal.addEventListener("abort", beginGrace, { once: true });
    if (told.signal.aborted) beginGrace();
  });
  const settled = (async (): Promise<WorkEnd<Result>> => {
    try {
      return { kind: "returned", value: await work(told.signal) };
    } catch (error) {
      if (timedOut) return { kind: "timed-out" };
      return told.signal.aborted ? { kind: "stopped" } : { kind: "threw", error };
    }
  })();
  try {
    return await Promise.race([settled, stuck]);
  } finally {
    over.abort();
    stop.removeEventListener("abort", passOn);
  }
};
