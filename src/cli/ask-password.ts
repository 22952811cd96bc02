/** Asks for a new password, twice, or reads it from a file: never from the command line, which every user of the machine can see. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isCancel, password as askHidden } from "@clack/prompts";
import { RefloatError } from "../model/refloat-error.ts";
import { canAsk } from "./ask.ts";
import type { CommandContext } from "./command.ts";

const fewest = 8;

/** @throws RefloatError usage, confirm.needed, confirm.declined */
export const newPassword = async (context: CommandContext, file: string | null): Promise<string> => {
  const text = file === null ? await askTwice(context) : await fromFile(resolve(context.shell.currentDirectory, file));
  if (text.length >= fewest) return text;
  throw new RefloatError("usage", `a password of the vault has at least ${fewest} characters`, {
    state: "nothing was changed",
  });
};

const fromFile = async (file: string): Promise<string> => {
  try {
    return (await readFile(file, "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    throw new RefloatError("usage", `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`, {
      cause: error,
    });
  }
};

const askTwice = async ({ shell, output, signal }: CommandContext): Promise<string> => {
  if (!canAsk(shell, output)) {
    throw new RefloatError("confirm.needed", "nobody can be asked for the new password here", {
      hint: "name a file that holds it with --new-password-file",
    });
  }
  const giveBack = output.yieldTerminal();
  const ask = async (message: string): Promise<string> => {
    const typed = await askHidden({ message, input: shell.stdin, output: shell.stderr, signal, withGuide: false });
    if (!isCancel(typed)) return typed;
    throw new RefloatError("confirm.declined", "no password was given", { state: "nothing was changed" });
  };
  try {
    const first = await ask("New password of the vault");
    if (first === (await ask("The same again"))) return first;
    throw new RefloatError("confirm.declined", "the two are not the same", { state: "nothing was changed" });
  } finally {
    giveBack();
  }
};
