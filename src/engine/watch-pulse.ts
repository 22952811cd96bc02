/** When a step last showed progress, and a warning in the run's report once it has shown none for long. Stops nothing. */
import { formatDuration } from "../core/time/duration.ts";
import type { Progress } from "../model/run.ts";
import type { HandlerCall } from "./step-environment.ts";

export type Pulse = {
  /** What says the same as before is no progress. */
  readonly beat: (progress: Progress) => void;
  /** Monotonic; now, as long as progress is not demanded. */
  readonly lastMs: () => number;
  /** From here on. */
  readonly demand: () => void;
  readonly stop: () => void;
};

/** @param quietMs after how long the run is warned, once; null for never */
export const watchPulse = ({ live, step, environment }: HandlerCall, quietMs: number | null): Pulse => {
  const { clock } = environment;
  const over = new AbortController();
  let lastMs = clock.monotonicMs();
  let said = "";
  let demanded = false;
  const warnOnce = async (withinMs: number): Promise<void> => {
    for (;;) {
      const leftMs = lastMs + withinMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, over.signal);
    }
    await live.warn(`${step.id} has shown no progress for ${formatDuration(withinMs)}`);
  };
  // Over, or a journal that cannot be written: then the next transition breaks the run, in words of its own.
  if (quietMs !== null) void warnOnce(quietMs).catch(() => undefined);
  return {
    beat: (progress) => {
      const says = JSON.stringify(progress);
      if (says === said) return;
      said = says;
      lastMs = clock.monotonicMs();
    },
    lastMs: () => (demanded ? lastMs : clock.monotonicMs()),
    demand: () => {
      demanded = true;
      lastMs = clock.monotonicMs();
    },
    stop: () => over.abort(),
  };
};
