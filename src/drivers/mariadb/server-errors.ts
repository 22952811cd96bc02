/** What the client programs say of the server, in this project's terms. Nothing else in this folder reads their error numbers to make errors. */
import { ExecaError } from "execa";
import type { ErrorCode } from "../../model/error-catalogue.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { programError } from "../../platform/subprocess.ts";
import { type MariadbTarget, describeAddress } from "./connection-target.ts";

/** Whether the server is read (capture) or written (restore). */
export type ServerRole = "source" | "target";

/** `ERROR 1045 (28000): ...`, `Got error: 1045: ...`, `Error 1412: ...`, `...: Access denied (1227)`. */
const numberPatterns = [/\bERROR (\d{4})\b/, /[Ee]rror:? (\d{4})\b/, /\((\d{4})\)/];

const numberIn = (said: string): number | null => {
  for (const pattern of numberPatterns) {
    const found = pattern.exec(said)?.[1];
    if (found !== undefined) return Number(found);
  }
  return null;
};

const saidBy = (error: unknown): string =>
  error instanceof ExecaError && typeof error.stderr === "string"
    ? error.stderr
    : error instanceof RefloatError && error.cause !== undefined
      ? saidBy(error.cause)
      : "";

/** The server's error number behind an error of ours, for the few places where an expected refusal is an answer. */
export const errorNumberOf = (error: unknown): number | null => numberIn(saidBy(error));

const longestSaid = 500;

const denied = new Set([1044, 1045, 1142, 1143, 1227, 1370, 1419, 1698]);
/** It is up, and has no room for one more: whoever took it for one that died would leave out what is written to it. */
const full = new Set([1040, 1203]);
const unreachable = new Set([1053, 1129, 1130, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2005, 2006, 2013]);
const fullDisk = new Set([1021, 1041, 1114, 3, 28]);

type Advice = { readonly code: ErrorCode; readonly hint?: string };

const adviceOn = (number: number, { password, database }: MariadbTarget, failed: ErrorCode): Advice => {
  if (number === 1045 || number === 1698) {
    return {
      code: "source.denied",
      hint:
        password === null
          ? "no password is declared: add `password: ${file:/etc/refloat/db-password}`"
          : "is the declared password the one that the user has now?",
    };
  }
  if (denied.has(number))
    return { code: "source.denied", hint: "refloat validate --live prints the GRANTs that are needed" };
  if (full.has(number))
    return {
      code: "source.under-pressure",
      hint: "it has as many connections as it takes: end some, or raise max_connections; then try again",
    };
  if (unreachable.has(number)) return { code: "source.unreachable" };
  if (fullDisk.has(number)) return { code: failed, hint: "free space on the server's disk, then try again" };
  if (number === 1049)
    return { code: failed, hint: `if ${database} was lost, recover it; else correct the url in refloat.yaml` };
  if (number === 1205 || number === 1213)
    return { code: "source.under-pressure", hint: "another session holds a lock; try again later" };
  if (number === 1412) {
    return {
      code: "source.under-pressure",
      hint: "a table was altered while it was captured: capture again when no migration is going on",
    };
  }
  return { code: failed };
};

/** The client shows the statement as well, which may be a customer's rows. */
const errorLine = (said: string): string =>
  (said.split("\n").find((line) => numberIn(line) !== null) ?? "")
    .trim()
    .replace(/^ERROR (\d+) \(\w+\)(?: at line \d+)?: /, "")
    .slice(0, longestSaid);

/** @param program that failed, for its name */
export const serverError = (program: string, error: unknown, target: MariadbTarget, role: ServerRole): RefloatError => {
  const said = saidBy(error);
  const number = numberIn(said);
  if (number === null) return programError(program, error);
  const { code, hint } = adviceOn(number, target, role === "source" ? "source.failed" : "target.failed");
  const place = describeAddress(target);
  return new RefloatError(code, `the server at ${place} answered: ${errorLine(said)}`, {
    cause: error,
    context: { address: place, database: target.database, number },
    ...(hint === undefined ? {} : { hint }),
  });
};
