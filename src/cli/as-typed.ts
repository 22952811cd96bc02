/**
 * Commands that are shown as the next step, as they have to be typed: who works from a vault alone, without a file, has to name it again each
 * time. A file or a state folder that was named for once is not repeated.
 */
import { RefloatError } from "../model/refloat-error.ts";
import { shellWord } from "../render/browse-screen.ts";
import type { GlobalOptions } from "./global-options.ts";

type Named = Pick<GlobalOptions, "vault" | "passwordFile" | "state" | "vaultAsOf">;

/** @returns what turns each `refloat ...` of a line into the one that does the same from here */
export const commandsAsTyped = ({ vault, passwordFile, state, vaultAsOf }: Named): ((line: string) => string) => {
  if (vault === null) return (line) => line;
  const options = { vault, "password-file": passwordFile, state, "vault-as-of": vaultAsOf };
  const words = Object.entries(options).flatMap(([name, value]) => (value === null ? [] : [`--${name}`, value]));
  const named = words.map(shellWord).join(" ");
  return (line) => line.replaceAll(/(?<=^|\| |&& |; )refloat (?!.*--(?:vault|help)\b)/g, () => `refloat ${named} `);
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
