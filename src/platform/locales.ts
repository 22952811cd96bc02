/** The locale that an application asks for, and whether this machine has it: without it texts sort and read otherwise. */
import type { FingerprintDifference } from "../model/fingerprint.ts";
import { runProgram } from "./subprocess.ts";

/** In the order in which the C library looks. @returns null where nothing is asked for */
export const askedLocale = (variables: ReadonlyMap<string, string>): string | null =>
  ["LC_ALL", "LC_CTYPE", "LANG"]
    .map((name) => variables.get(name))
    .find((value) => value !== undefined && value !== "") ?? null;

/** `de_DE.UTF-8` and `de_DE.utf8` are one. */
const canonical = (locale: string): string => {
  const [name = "", charset] = locale.split(".");
  return charset === undefined ? name : `${name}.${charset.toLowerCase().replaceAll("-", "")}`;
};

const everywhere: ReadonlySet<string> = new Set(["C", "POSIX", "C.utf8"]);

/** Where the machine cannot list its locales, nothing is said. */
export const compareLocale = async (
  captured: string | undefined,
  signal: AbortSignal,
): Promise<readonly FingerprintDifference[]> => {
  if (captured === undefined || everywhere.has(canonical(captured))) return [];
  const listed = await runProgram("locale", ["-a"], { signal }).catch(() => null);
  signal.throwIfAborted();
  if (listed === null) return [];
  const known = new Set(listed.stdout.split("\n").map((line) => canonical(line.trim())));
  if (known.has(canonical(captured))) return [];
  return [{ subject: "locale", captured, target: null, severity: "missing" }];
};
