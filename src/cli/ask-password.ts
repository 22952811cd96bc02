/** Asks for a new password, twice, or reads it from a file: never from the command line, which every user of the machine can see. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isCancel, password as askHidden } from "@clack/prompts";
import { RefloatError } from "../model/refloat-error.ts";
import { canAsk } from "./ask.ts";
import type { CommandContext } from "./command.ts";

const fewest = 8;

/** What it is for, and which option names its file. */
export type PasswordWords = { readonly of: string; readonly option: string };

const ofVault: PasswordWords = { of: "the vault", option: "--new-password-file" };

/** @throws RefloatError usage, confirm.needed, confirm.declined */
export const newPassword = async (
  context: CommandContext,
  file: string | null,
  words: PasswordWords = ofVault,
): Promise<string> =>
  checkedPassword(
    file === null ? await askTwice(context, words) : await fromFile(resolve(context.shell.currentDirectory, file)),
    words,
  );

/** @throws RefloatError usage */
export const checkedPassword = (text: string, { of }: PasswordWords): string => {
  if (text.length >= fewest) return text;
  throw new RefloatError("usage", `a password of ${of} has at least ${fewest} characters`, {
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

const askTwice = async ({ shell, output, signal }: CommandContext, { of, option }: PasswordWords): Promise<string> => {
  if (!canAsk(shell, output)) {
    throw new RefloatError("confirm.needed", "nobody can be asked for the new password here", {
      hint: `name a file that holds it with ${option}`,
    });
  }
  const giveBack = output.yieldTerminal();
  const ask = async (message: string): Promise<string> => {
    const typed = await askHidden({ message, input: shell.stdin, output: shell.stderr, signal, withGuide: false });
    if (!isCancel(typed)) return typed;
    throw new RefloatError("confirm.declined", "no password was given", { state: "nothing was changed" });
  };
  try {
    const first = await ask(`New password of ${of}`);
    if (first === (await ask("The same again"))) return first;
    throw new RefloatError("confirm.declined", "the two are not the same", { state: "nothing was changed" });
  } finally {
    giveBack();
  }
};
