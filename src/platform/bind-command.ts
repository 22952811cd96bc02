/** Binds the references of a command line that a person declared. What runs as a command is seen by every user of the machine. */
import type { Bind } from "../core/ports/environment.ts";
import { RefloatError } from "../model/refloat-error.ts";

/** @throws RefloatError config.invalid if any reference in it is a secret */
export const bindCommand = async (bind: Bind, line: string, what: string): Promise<string> => {
  const { value, secret } = await bind(line);
  if (!secret) return value;
  throw new RefloatError(
    "config.invalid",
    `the ${what} holds a secret, which a command line would show to every user`,
    {
      hint: "hand it over by environment:, and let the command read the variable",
    },
  );
};
