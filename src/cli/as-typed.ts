/**
 * Commands that are shown as the next step, as they have to be typed: what was named in words, a vault alone or a file that is not the usual one,
 * has to be named again. What the environment says stays said.
 */
import { shellWord } from "../core/text/shell-word.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { GlobalOptions } from "./global-options.ts";

type Named = Pick<GlobalOptions, "config" | "vault" | "passwordFile" | "state" | "vaultAsOf">;

/** @returns what turns each `refloat ...` of a line into the one that does the same from here */
export const commandsAsTyped = ({
  config,
  vault,
  passwordFile,
  state,
  vaultAsOf,
}: Named): ((line: string) => string) => {
  const options = { config, vault, "password-file": passwordFile, state, "vault-as-of": vaultAsOf };
  const words = Object.entries(options).flatMap(([name, value]) => (value === null ? [] : [`--${name}`, value]));
  if (words.length === 0) return (line) => line;
  const named = words.map(shellWord).join(" ");
  return (line) =>
    line.replaceAll(/(?<=^|\| |&& |; )refloat (?!.*--(?:config|vault|help)\b)/g, () => `refloat ${named} `);
};

export const withTypedCommand = (error: RefloatError, asTyped: (line: string) => string): RefloatError => {
  const { nextCommand } = error;
  if (nextCommand === undefined || asTyped(nextCommand) === nextCommand) return error;
  return new RefloatError(error.code, error.message, {
    // Whoever looks for where it went wrong finds the first.
    cause: error.cause ?? error,
    context: error.context,
    diagnostics: error.diagnostics,
    nextCommand: asTyped(nextCommand),
    ...(error.state === undefined ? {} : { state: error.state }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
};
