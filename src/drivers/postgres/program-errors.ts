/** What a failed client program met at the server, from what it said (its messages are in English: see programEnvironment). */
import { ExecaError } from "execa";
import type { ErrorCode } from "../../model/error-catalogue.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ConnectionTarget, describeAddress } from "../../platform/postgres/connection-target.ts";
import { type ServerRole, fullHint } from "../../platform/postgres/server-errors.ts";

type Reading = {
  readonly pattern: RegExp;
  readonly code: (failed: ErrorCode) => ErrorCode;
  readonly hint: string;
  /** Put before what the program said. */
  readonly lead?: (place: string) => string;
};

const readings: readonly Reading[] = [
  {
    pattern: /No space left on device|could not extend file/,
    code: (failed) => failed,
    hint: "free space there, then try again",
    lead: (place) => `the disk of the server at ${place} is full: `,
  },
  {
    pattern: /password authentication failed|no password supplied|no pg_hba\.conf entry|fe_sendauth/,
    code: () => "source.denied",
    hint: "is the declared password the one that the role has now?",
  },
  {
    pattern: /permission denied|must be (?:owner|superuser|member|able to SET ROLE)/,
    code: () => "source.denied",
    hint: "refloat validate --live prints the GRANTs that are needed",
  },
  {
    pattern: /lock timeout|could not obtain lock/,
    code: () => "source.under-pressure",
    hint: "a table is locked by another session; try again later, or raise lockTimeout",
  },
  // Before what is said of every connection that fails: it is up.
  {
    pattern: /too many clients already|too many connections for|remaining connection slots/,
    code: () => "source.under-pressure",
    hint: fullHint,
  },
  {
    pattern:
      /connection to server .* failed|server closed the connection|terminating connection|the database system is|could not receive data/,
    code: () => "source.unreachable",
    hint: "the server went away while the program was using it",
  },
];

const linesShown = 3;

/** Everything the program said; the error's own message has its last lines, which are often not those that matter. */
const standardErrorOf = (error: RefloatError): string => {
  const { cause } = error;
  return cause instanceof ExecaError && typeof cause.stderr === "string" ? cause.stderr : error.message;
};

/** `pg_restore: error: could not execute query: ERROR: ...` and what follows it. */
const firstComplaint = (said: string): string => {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  const begin = Math.max(
    0,
    lines.findIndex((line) => /error:|ERROR:|FATAL:/.test(line)),
  );
  return lines.slice(begin, begin + linesShown).join("; ");
};

/** Anything but a program's failure is given back as it is. */
export const clientProgramError = (error: unknown, target: ConnectionTarget, role: ServerRole): unknown => {
  if (!(error instanceof RefloatError) || error.code !== "program.failed") return error;
  const failed: ErrorCode = role === "source" ? "source.failed" : "target.failed";
  const said = standardErrorOf(error);
  const reading = readings.find(({ pattern }) => pattern.test(said));
  const place = describeAddress(target);
  const hint = reading?.hint ?? error.hint;
  const message = `${reading?.lead?.(place) ?? ""}${firstComplaint(said)}`;
  return new RefloatError(reading?.code(failed) ?? failed, message === "" ? error.message : message, {
    cause: error,
    context: { ...error.context, address: place, database: target.database },
    ...(hint === undefined ? {} : { hint }),
  });
};
