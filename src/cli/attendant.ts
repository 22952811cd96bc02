/** The person at this terminal, for manual steps. `--yes` answers questions; it has done nothing by hand. */
import type { Attendant } from "../core/ports/workbench.ts";
import { askText, canAsk } from "./ask.ts";
import { inTurn } from "./in-turn.ts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

export const createAttendant = (shell: Shell, output: Output): Attendant => {
  // Steps that run at once share the terminal.
  const takeTurn = inTurn();
  return {
    isThere: canAsk(shell, output),
    perform: (text, needsEvidence, signal) =>
      takeTurn(async () =>
        // It may have been answered elsewhere meanwhile.
        signal.aborted
          ? null
          : askText(shell, output, {
              question: `${text}\n  When it is done: what did you see?`,
              needed: needsEvidence,
              signal,
            }),
      ),
  };
};
