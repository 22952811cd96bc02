/** Waits for what people say to a step: the one at this terminal, or anybody from another one. */
import type { StepContext } from "../core/ports/engine.ts";
import type { RunWord, SpokenWord } from "../model/run-word.ts";

/** Long enough not to burden the journal, short enough for who watches. */
const listenMs = 500;

export type Asking<Verdict> = {
  /** What the words come to; null as long as more must be said. */
  readonly judge: (words: readonly SpokenWord[]) => Verdict | null;
  /** Asks the person here. `nobody`: there is none, or the question was left. `elsewhere`: this one has said all that it may. */
  readonly ask: (
    words: readonly SpokenWord[],
    signal: AbortSignal,
  ) => Promise<Omit<RunWord, "step"> | "nobody" | "elsewhere">;
};

/** @returns the verdict, or null when nobody can be asked here and nobody has said enough elsewhere */
export const untilAnswered = async <Verdict>(
  context: StepContext,
  { judge, ask }: Asking<Verdict>,
): Promise<Verdict | null> => {
  for (;;) {
    context.signal.throwIfAborted();
    const words = await context.words();
    const verdict = judge(words);
    if (verdict !== null) return verdict;
    const heard = new AbortController();
    const asking = AbortSignal.any([context.signal, heard.signal]);
    const listening = listen(context, judge, asking);
    try {
      const said = await Promise.race([ask(words, asking), listening]);
      if (said === "nobody") return null;
      if (said === "elsewhere") await listening;
      else if (said !== "heard") await context.say(said);
    } finally {
      heard.abort();
    }
  }
};

const listen = async (
  { words, clock }: StepContext,
  judge: (said: readonly SpokenWord[]) => unknown,
  signal: AbortSignal,
): Promise<"heard"> => {
  while (!signal.aborted) {
    try {
      await clock.sleep(listenMs, signal);
    } catch {
      break;
    }
    if (judge(await words()) !== null) break;
  }
  return "heard";
};
