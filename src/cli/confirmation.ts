/** The yes that stands before every change of something live: from a person, or from `--yes`. */
import { RefloatError } from "../model/refloat-error.ts";
import { askYesNo } from "./ask.ts";
import type { CommandContext } from "./command.ts";

export type Confirmation = {
  readonly question: string;
  /** Why a yes is needed: `a recovery changes what is live`. */
  readonly unasked: string;
  /** What a script types instead. */
  readonly nextCommand: string;
};

/** @throws RefloatError confirm.needed where nobody can be asked, confirm.declined after a no */
export const requireYes = async (context: CommandContext, confirmation: Confirmation): Promise<void> => {
  const { shell, output, global, signal } = context;
  if (global.yes) return;
  const answer = await askYesNo(shell, output, confirmation.question, signal);
  if (answer === true) return;
  signal.throwIfAborted();
  const { nextCommand } = confirmation;
  if (answer === "nobody") {
    throw new RefloatError("confirm.needed", `${confirmation.unasked}, and nobody can be asked here`, {
      state: "nothing was changed",
      hint: "--yes answers every question; or type what is below",
      nextCommand,
    });
  }
  throw new RefloatError("confirm.declined", answer === "left" ? "the question was left" : "the answer was no", {
    state: "nothing was changed",
    nextCommand,
  });
};
