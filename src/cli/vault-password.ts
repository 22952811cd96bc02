/** The password of a vault that was named by --vault: from a file, from REFLOAT_PASSWORD, or from the person. Never from the command line. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isCancel, password as askHidden } from "@clack/prompts";
import { RefloatError } from "../model/refloat-error.ts";
import { canAsk } from "./ask.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

/** @throws RefloatError usage, confirm.needed, confirm.declined */
export const vaultPassword = async (
  { passwordFile }: Pick<GlobalOptions, "passwordFile">,
  shell: Shell,
  output: Output,
): Promise<string> => {
  if (passwordFile !== null) {
    try {
      return (await readFile(resolve(shell.currentDirectory, passwordFile), "utf8")).replace(/\r?\n$/, "");
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? "unknown";
      throw new RefloatError("usage", `the password file ${passwordFile} cannot be read: ${why}`, { cause: error });
    }
  }
  const fromEnvironment = shell.environment["REFLOAT_PASSWORD"];
  if (fromEnvironment !== undefined && fromEnvironment !== "") return fromEnvironment;
  if (!canAsk(shell, output)) {
    throw new RefloatError("confirm.needed", "nobody can be asked for the vault's password here", {
      hint: "name a file that holds it with --password-file, or set REFLOAT_PASSWORD",
    });
  }
  const giveBack = output.yieldTerminal();
  try {
    const typed = await askHidden({
      message: "Password of the vault (or its recovery key)",
      input: shell.stdin,
      output: shell.stderr,
      withGuide: false,
    });
    if (!isCancel(typed)) return typed;
    throw new RefloatError("confirm.declined", "no password was given", { state: "nothing was changed" });
  } finally {
    giveBack();
  }
};
