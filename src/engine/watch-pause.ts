/** Looks for a person's word that holds the run, while steps are at work. */
import type { LiveRun } from "./live-run.ts";
import type { StepEnvironment } from "./step-environment.ts";

export type PauseWatch = {
  /** Why nothing may begin any more; null as long as it may. */
  readonly held: () => string | null;
  /** Aborts when the run is held: for steps that only wait for a person. */
  readonly signal: AbortSignal;
  readonly stop: () => void;
};

/** @param mayHold asked once a person wants it: not in the cutover, where users would wait as long as the pause */
export const watchPause = (live: LiveRun, { clock, limits }: StepEnvironment, mayHold: () => boolean): PauseWatch => {
  const over = new AbortController();
  const holding = new AbortController();
  let reason: string | null = null;
  const look = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await clock.sleep(limits.listenMs, over.signal);
      const word = await live.words.pause();
      if (word === null) continue;
      if (mayHold()) {
        reason = `paused by ${word.by}${word.reason === undefined ? "" : `: ${word.reason}`}`;
        holding.abort();
      } else {
        await live.warn(`${word.by} wanted it paused, but users would wait in the cutover: it went on`);
      }
      return;
    }
  };
  // Over, or a journal that cannot be read: then the next transition breaks the run, in words of its own.
  void look().catch(() => undefined);
  return { held: () => reason, signal: holding.signal, stop: () => over.abort() };
};
