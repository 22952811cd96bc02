/** Answers a plan's approval gate: the person at this terminal. */
import type { Approver } from "../core/ports/workbench.ts";
import { askYesNo } from "./ask.ts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

export const createApprover =
  (shell: Shell, output: Output): Approver =>
  async (question, signal) => {
    const answer = await askYesNo(shell, output, question, signal);
    // A question that was left is not answered: the run waits, and asks again when it is resumed.
    return typeof answer === "boolean" ? { approved: answer, by: shell.userName } : null;
  };
