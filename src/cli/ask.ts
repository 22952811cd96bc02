/** Questions to the person at the terminal. Where there is none, and with `--json`, nobody is asked. */
import { confirm, isCancel } from "@clack/prompts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

export const canAsk = (shell: Shell, output: Output): boolean =>
  shell.isTerminal.stdin && shell.isTerminal.stderr && !output.json;

/** `nobody`: there is no one to ask. `left`: the question was left by Ctrl-C or Escape. */
export type Answer = boolean | "nobody" | "left";

export const askYesNo = async (
  shell: Shell,
  output: Output,
  question: string,
  signal: AbortSignal,
): Promise<Answer> => {
  if (!canAsk(shell, output)) return "nobody";
  const giveBack = output.yieldTerminal();
  try {
    const answer = await confirm({
      message: question,
      // A tired Enter must not change what is live.
      initialValue: false,
      input: shell.stdin,
      output: shell.stderr,
      signal,
      withGuide: false,
    });
    return isCancel(answer) ? "left" : answer;
  } finally {
    giveBack();
  }
};
