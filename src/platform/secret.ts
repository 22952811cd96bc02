/** Secrets: read from where the file says they are, held so that they cannot be printed by accident. */
import { readFile } from "node:fs/promises";
import { inspect } from "node:util";
import type { Secret } from "../core/ports/environment.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { describeSystemError } from "./system-error.ts";
import { runProgram } from "./subprocess.ts";

class HiddenText implements Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}

export const hideText = (text: string): Secret => new HiddenText(text);

const withoutTrailingNewline = (text: string): string => text.replace(/\r?\n$/, "");

/**
 * Reads `file:PATH`, `env:NAME` or `command:LINE` (the inside of a `${...}` with a colon). One trailing newline is not part of it.
 * @throws RefloatError secret.unavailable with the place and the reason, never the value
 */
export const readSecret = async (source: string, signal: AbortSignal): Promise<Secret> => {
  const colon = source.indexOf(":");
  const scheme = source.slice(0, colon);
  const rest = source.slice(colon + 1);
  const unavailable = (why: string, cause?: unknown): RefloatError =>
    new RefloatError("secret.unavailable", `the secret \${${source}} cannot be read: ${why}`, {
      cause,
      hint: "give it where the file says it is, or correct the place in refloat.yaml",
    });
  switch (scheme) {
    case "file": {
      try {
        return hideText(withoutTrailingNewline(await readFile(rest, { encoding: "utf8", signal })));
      } catch (error) {
        signal.throwIfAborted();
        throw unavailable(describeSystemError(error), error);
      }
    }
    case "env": {
      const value = process.env[rest];
      if (value === undefined) throw unavailable("the variable is not set");
      return hideText(value);
    }
    case "command": {
      try {
        const { stdout } = await runProgram("/bin/sh", ["-c", rest], { signal });
        return hideText(withoutTrailingNewline(stdout));
      } catch (error) {
        signal.throwIfAborted();
        throw unavailable(error instanceof Error ? error.message : "the command failed", error);
      }
    }
    default:
      throw unavailable("it is none of file:, env: and command:");
  }
};
