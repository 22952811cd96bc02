/** Answers a plan's approval gate: the person at this terminal, or the one who said `--yes` to every question. */
import type { Approver } from "../core/ports/workbench.ts";
import { askYesNo } from "./ask.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

export const createApprover =
  (shell: Shell, { yes }: Pick<GlobalOptions, "yes">, output: Output): Approver =>
  async (question, signal) => {
    const answer = yes ? true : await askYesNo(shell, output, question, signal);
    // A question that was left is not answered: the run waits, and asks again when it is resumed.
    return typeof answer === "boolean" ? { approved: answer, by: shell.userName } : null;
  };
