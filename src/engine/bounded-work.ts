/**
 * Runs what a handler does within its limits: a time limit, a signal to stop, and a grace for obeying it. Only waits and
 * signals; it never assumes that work which was told to stop has stopped.
 */
import type { Clock } from "../core/ports/environment.ts";
import { formatDuration } from "../core/time/duration.ts";
import { RefloatError } from "../model/refloat-error.ts";

type CutShort =
  | { readonly kind: "timed-out"; readonly afterMs: number }
  /** It showed no progress for longer than it may. */
  | { readonly kind: "stalled"; readonly afterMs: number };

export type WorkEnd<Result> =
  | { readonly kind: "returned"; readonly value: Result }
  | { readonly kind: "threw"; readonly error: unknown }
  /** It threw after it was told to stop: what it threw says nothing. */
  | { readonly kind: "stopped" }
  | CutShort
  /** It was told to stop and did not within the grace. It may still act. */
  | { readonly kind: "stuck" };

export type WorkLimits = {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** How long it may show no progress; for ever when left out. */
  readonly heartbeat?: {
    readonly withinMs: number;
    /** Monotonic, of when it last showed any. */
    readonly lastMs: () => number;
  };
  readonly graceMs: number;
  /** Aborts when the run must stop. */
  readonly stop: AbortSignal;
};

/** Beyond this Node's timers fire at once: a limit that is longer is none. */
const longestTimerMs = 2 ** 31 - 1;

export const runBounded = async <Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  { clock, timeoutMs, heartbeat, graceMs, stop }: WorkLimits,
): Promise<WorkEnd<Result>> => {
  const told = new AbortController();
  const over = new AbortController();
  let cut: CutShort | null = null;
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
  const cutShort = (end: CutShort, reason: RefloatError): void => {
    if (told.signal.aborted) return;
    cut = end;
    told.abort(reason);
  };
  if (timeoutMs <= longestTimerMs) {
    void after(timeoutMs, () =>
      cutShort(
        { kind: "timed-out", afterMs: timeoutMs },
        new RefloatError("step.timeout", `it took longer than ${formatDuration(timeoutMs)}`),
      ),
    );
  }
  if (heartbeat !== undefined) {
    const { withinMs, lastMs } = heartbeat;
    const look = (): void => {
      const leftMs = lastMs() + withinMs - clock.monotonicMs();
      if (leftMs > 0) void after(Math.min(leftMs, longestTimerMs), look);
      else
        cutShort(
          { kind: "stalled", afterMs: withinMs },
          new RefloatError("step.stalled", `it showed no progress for ${formatDuration(withinMs)}`),
        );
    };
    look();
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
      if (cut !== null) return cut;
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
