/** The declared environment with its references replaced, and which of its values are secret. */
import type { z } from "zod";
import type { Bind } from "../core/ports/environment.ts";
import type { environmentSchema } from "../model/declaration.ts";

export type BoundEnvironment = {
  readonly variables: Readonly<Record<string, string>>;
  /** Values that must not be seen in what a program says. */
  readonly secrets: readonly string[];
};

export const bindEnvironment = async (
  bind: Bind,
  declared: z.infer<typeof environmentSchema> | undefined,
): Promise<BoundEnvironment> => {
  const variables: Record<string, string> = {};
  const secrets: string[] = [];
  for (const [name, text] of Object.entries(declared ?? {})) {
    const { value, secret } = await bind(String(text));
    variables[name] = value;
    if (secret) secrets.push(...secretsIn(value));
  }
  return { variables, secrets };
};

/** A secret value, and the password inside a URL: it leaks more often than the whole of it. */
export const secretsIn = (value: string): readonly string[] => {
  if (!URL.canParse(value)) return [value];
  const { password } = new URL(value);
  return password === "" ? [value] : [value, password, decodeURIComponent(password)];
};
