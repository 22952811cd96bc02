/**
 * Shows that work goes on. On a terminal: a frame, redrawn at most ten times a second. Without one: a line for each thing that
 * ended, and never more than ten seconds without a word, so that nobody takes a long restore for a hang.
 */
import { RefloatError } from "../model/refloat-error.ts";
import type { Output } from "./output.ts";

const frameMs = 100;
const silenceMs = 10_000;

export type ProgressView = {
  /** The picture as of now, for a terminal. */
  readonly frame: () => string;
  /** The same in one line. */
  readonly line: () => string;
};

export type LiveProgress = {
  /** Something ended or began: worth a line of its own where there is no frame. */
  readonly told: (line: string) => void;
  readonly stop: () => void;
};

/** With `--json` events tell what ended; a line in the silence is written all the same. */
export const showProgress = (output: Output, view: ProgressView): LiveProgress => {
  if (output.live) {
    output.frame(view.frame());
    const timer = setInterval(() => output.frame(view.frame()), frameMs);
    return {
      told: () => undefined,
      stop: () => {
        clearInterval(timer);
        output.frame(null);
      },
    };
  }
  let silent = setInterval(() => output.note(view.line()), silenceMs);
  return {
    told: (line) => {
      clearInterval(silent);
      if (!output.json) output.note(line);
      silent = setInterval(() => output.note(view.line()), silenceMs);
    },
    stop: () => clearInterval(silent),
  };
};

/** Progress comes as often as a driver reads a block; twice a second is enough for who listens. What settles something is told apart. */
export const sparsely = <Args extends readonly unknown[]>(
  clock: { readonly monotonicMs: () => number },
  tell: (...args: Args) => void,
): ((...args: Args) => void) => {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (...args) => {
    if (clock.monotonicMs() - toldMs < 500) return;
    toldMs = clock.monotonicMs();
    tell(...args);
  };
};

/** For work that says nothing of itself, such as opening a vault: what it is and how long it has been going on. */
export const during = async <Value>(
  output: Output,
  clock: { readonly monotonicMs: () => number },
  what: string,
  act: () => Promise<Value>,
): Promise<Value> => {
  const beganMs = clock.monotonicMs();
  const line = (): string => `${what} ... ${Math.round((clock.monotonicMs() - beganMs) / 1000)} s`;
  const progress = showProgress(output, { line, frame: line });
  try {
    return await act();
  } finally {
    progress.stop();
  }
};

/**
 * Work that only looks, before anybody is asked for a yes: who stops it is told that nothing was changed, whatever a driver made of being stopped.
 * @throws RefloatError interrupted
 */
export const planning = async <Value>(
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
  clock: { readonly monotonicMs: () => number },
  what: string,
  act: () => Promise<Value>,
): Promise<Value> => {
  try {
    return await during(output, clock, what, act);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new RefloatError("interrupted", `cancelled while ${what}`, { cause: error, state: "nothing was changed" });
  }
};
