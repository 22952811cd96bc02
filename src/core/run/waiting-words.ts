/** What can be typed about the run that waits for somebody, as lists of runs tell it. */
import type { Journal } from "../ports/engine.ts";
import { wordsAfterStop } from "./words-after-stop.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { RunRecord, RunState } from "../../model/run.ts";

export const waitsForSomebody = (state: RunState): boolean =>
  state === "interrupted" || state === "waiting" || state === "needs-operator";

/**
 * @param runs newest first, in their true states
 * @returns commands that work on the newest that waits, the most sensible first; none where none does, or where another version has planned it in
 * a form that this one does not know: the list is to be read all the same
 */
export const waitingWords = async (
  journal: Pick<Journal, "readRun">,
  runs: readonly RunRecord[],
): Promise<readonly string[]> => {
  const waiting = runs.find(({ state }) => waitsForSomebody(state));
  if (waiting === undefined) return [];
  try {
    const { plan } = await journal.readRun(waiting.number);
    return wordsAfterStop(waiting, plan.intent.steps);
  } catch (error) {
    if (toRefloatError(error).code === "plan.unknown") return [];
    throw error;
  }
};
