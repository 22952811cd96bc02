/** The password of a vault that was named on the command line: from a file, from the environment, or from the person. Never from the line itself. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isCancel, password as askHidden } from "@clack/prompts";
import { RefloatError } from "../model/refloat-error.ts";
import { canAsk } from "./ask.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

/** Of the vault that --vault names. @throws RefloatError usage, confirm.needed, confirm.declined */
export const vaultPassword = async (
  { passwordFile }: Pick<GlobalOptions, "passwordFile">,
  shell: Shell,
  output: Output,
): Promise<string> => {
  if (passwordFile !== null) return passwordInFile(passwordFile, shell);
  const fromEnvironment = passwordInEnvironment("REFLOAT_PASSWORD", shell);
  if (fromEnvironment !== null) return fromEnvironment;
  if (canAsk(shell, output)) return askPassword("Password of the vault (or its recovery key)", shell, output);
  throw new RefloatError("confirm.needed", "nobody can be asked for the vault's password here", {
    hint: "name a file that holds it with --password-file, or set REFLOAT_PASSWORD",
  });
};

/** Where vaultPassword looks, after "the password". */
export const passwordOrigin = ({ passwordFile }: Pick<GlobalOptions, "passwordFile">, shell: Shell): string => {
  if (passwordFile !== null) return `in ${passwordFile}`;
  return passwordInEnvironment("REFLOAT_PASSWORD", shell) === null ? "that was typed" : "in REFLOAT_PASSWORD";
};

/** @throws RefloatError usage */
export const passwordInFile = async (file: string, shell: Shell): Promise<string> => {
  try {
    return (await readFile(resolve(shell.currentDirectory, file), "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new RefloatError("usage", `the password file ${file} cannot be read: ${why}`, { cause: error });
  }
};

/** An empty variable counts as not set. */
export const passwordInEnvironment = (variable: string, { environment }: Shell): string | null => {
  const text = environment[variable];
  return text === undefined || text === "" ? null : text;
};

/** @throws RefloatError confirm.declined */
export const askPassword = async (message: string, shell: Shell, output: Output): Promise<string> => {
  const giveBack = output.yieldTerminal();
  try {
    const typed = await askHidden({ message, input: shell.stdin, output: shell.stderr, withGuide: false });
    if (!isCancel(typed)) return typed;
    throw new RefloatError("confirm.declined", "no password was given", { state: "nothing was changed" });
  } finally {
    giveBack();
  }
};
