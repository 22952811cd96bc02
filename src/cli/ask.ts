/** Questions to the person at the terminal. Where there is none, and with `--json`, nobody is asked. */
import type { Readable } from "node:stream";
import { ReadStream } from "node:tty";
import { setTimeout as delay } from "node:timers/promises";
import { confirm, isCancel, text as askLine } from "@clack/prompts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

export const canAsk = (shell: Shell, output: Output): boolean =>
  shell.isTerminal.stdin && shell.isTerminal.stderr && !output.json;

/** `nobody`: there is no one to ask. `left`: the question was left by Ctrl-C or Escape. */
export type Answer = boolean | "nobody" | "left";

/** Long enough for the terminal to hand over what it has. */
const typeAheadMs = 40;
const ctrlC = "\u0003";

/** What was typed or pasted before the question was there answers another one: the `n` of a pasted `npx` would be a no. */
const dropTypeAhead = async (stdin: Readable): Promise<"left" | "dropped"> => {
  if (!(stdin instanceof ReadStream)) return "dropped";
  let typed = "";
  const take = (bytes: Buffer): void => {
    typed += bytes.toString("latin1");
  };
  stdin.setRawMode(true);
  stdin.on("data", take);
  try {
    await delay(typeAheadMs);
  } finally {
    stdin.off("data", take);
    stdin.pause();
    stdin.setRawMode(false);
  }
  return typed.includes(ctrlC) ? "left" : "dropped";
};

export const askYesNo = async (
  shell: Shell,
  output: Output,
  question: string,
  signal: AbortSignal,
): Promise<Answer> => {
  if (!canAsk(shell, output)) return "nobody";
  const giveBack = output.yieldTerminal();
  try {
    if ((await dropTypeAhead(shell.stdin)) === "left") return "left";
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

/** @returns what was typed; null when there is nobody, or the question was left */
export const askText = async (
  shell: Shell,
  output: Output,
  { question, needed, signal }: { readonly question: string; readonly needed: boolean; readonly signal: AbortSignal },
): Promise<string | null> => {
  if (!canAsk(shell, output)) return null;
  const giveBack = output.yieldTerminal();
  try {
    if ((await dropTypeAhead(shell.stdin)) === "left") return null;
    const answer = await askLine({
      message: question,
      validate: (typed) => (needed && (typed ?? "").trim() === "" ? "say what you saw" : undefined),
      input: shell.stdin,
      output: shell.stderr,
      signal,
      withGuide: false,
    });
    return isCancel(answer) ? null : (answer ?? "").trim();
  } finally {
    giveBack();
  }
};
