/**
 * Commands that are shown as the next step or named in a hint, as they have to be typed: what was named in words, a vault alone or a file that
 * is not the usual one, has to be named again. What the environment says stays said.
 */
import { shellWord } from "../core/text/shell-word.ts";
import { RefloatError, type RefloatErrorOptions } from "../model/refloat-error.ts";
import type { GlobalOptions } from "./global-options.ts";

type Named = Pick<GlobalOptions, "config" | "vault" | "passwordFile" | "state" | "vaultAsOf">;

/** A command in a line or, by its first word, in prose, to its end; not a package, a role or a user of that name. */
const commandPattern = (verbs: readonly string[]): RegExp =>
  new RegExp(
    `(?<!npx )(?:(?<=^|\\| |&& |; )refloat (?=[a-z-])|\\brefloat (?=(?:${verbs.join("|")})\\b))[^|&;,)\`]*`,
    "g",
  );

/** @param verbs first words of all commands @param program what starts us here @returns what turns each `refloat ...` of a line or of prose into the one that does the same from here */
export const commandsAsTyped = (
  { config, vault, passwordFile, state, vaultAsOf }: Named,
  verbs: readonly string[],
  program: string,
): ((text: string) => string) => {
  // Of what is declared the file says where the password is.
  const vaultPasswordFile = vault === null ? null : passwordFile;
  const options = { config, vault, "password-file": vaultPasswordFile, state, "vault-as-of": vaultAsOf };
  const named = Object.entries(options).flatMap(([name, value]) =>
    value === null ? [] : [{ option: `--${name}`, value: shellWord(value) }],
  );
  if (named.length === 0 && program === "refloat") return (text) => text;
  const commands = commandPattern(verbs);
  return (text) =>
    text.replaceAll(commands, (command) => {
      const words = command.split(/\s+/);
      const rest = command.slice("refloat ".length);
      if (["--config", "--vault", "--help"].some((option) => words.includes(option))) return `${program} ${rest}`;
      const missing = named.flatMap(({ option, value }) => (words.includes(option) ? [] : [option, value]));
      return [program, ...missing, rest].join(" ");
    });
};

/** The same error in other words. Whoever looks for where it went wrong finds the first. */
export const retold = (
  error: RefloatError,
  { nextCommand = error.nextCommand, hint = error.hint }: Pick<RefloatErrorOptions, "nextCommand" | "hint">,
): RefloatError =>
  new RefloatError(error.code, error.message, {
    cause: error.cause ?? error,
    context: error.context,
    diagnostics: error.diagnostics,
    ...(nextCommand === undefined ? {} : { nextCommand }),
    ...(error.state === undefined ? {} : { state: error.state }),
    ...(hint === undefined ? {} : { hint }),
  });

export const withTypedCommand = (error: RefloatError, asTyped: (line: string) => string): RefloatError => {
  const typed = (text: string | undefined): string | undefined => (text === undefined ? undefined : asTyped(text));
  const nextCommand = typed(error.nextCommand);
  const hint = typed(error.hint);
  if (nextCommand === error.nextCommand && hint === error.hint) return error;
  return retold(error, {
    ...(nextCommand === undefined ? {} : { nextCommand }),
    ...(hint === undefined ? {} : { hint }),
  });
};
