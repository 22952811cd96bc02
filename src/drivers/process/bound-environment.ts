/** The declared environment with its references replaced, and which of its values are secret. */
import type { Bind } from "../../core/ports/environment.ts";
import type { ProcessOptions } from "./process-options.ts";

export type BoundEnvironment = {
  readonly variables: Readonly<Record<string, string>>;
  /** Values that must not be seen in what a program says. */
  readonly secrets: readonly string[];
};

export const bindEnvironment = async (
  bind: Bind,
  declared: ProcessOptions["environment"],
): Promise<BoundEnvironment> => {
  const variables: Record<string, string> = {};
  const secrets: string[] = [];
  for (const [name, text] of Object.entries(declared ?? {})) {
    const { value, secret } = await bind(String(text));
    variables[name] = value;
    if (secret) secrets.push(value, ...passwordIn(value));
  }
  return { variables, secrets };
};

/** The password inside a URL is what leaks, more often than the whole of it. */
const passwordIn = (value: string): readonly string[] => {
  if (!URL.canParse(value)) return [];
  const { password } = new URL(value);
  return password === "" ? [] : [password, decodeURIComponent(password)];
};
