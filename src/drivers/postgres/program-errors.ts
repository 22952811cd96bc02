/** What a failed client program met at the server, from what it said (its messages are in English: see programEnvironment). */
import type { ErrorCode } from "../../model/error-catalogue.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ConnectionTarget, describeAddress } from "./connection-target.ts";
import type { ServerRole } from "./server-errors.ts";

type Reading = { readonly pattern: RegExp; readonly code: (failed: ErrorCode) => ErrorCode; readonly hint: string };

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
    pattern: /permission denied|must be (?:owner|superuser|member)/,
    code: () => "source.denied",
    hint: "refloat validate --live prints the GRANTs that are needed",
  },
  {
    pattern: /lock timeout|could not obtain lock/,
    code: () => "source.under-pressure",
    hint: "a table is locked by another session; try again later, or raise lockTimeout",
  },
  {
    pattern:
      /connection to server .* failed|server closed the connection|terminating connection|the database system is|could not receive data/,
    code: () => "source.unreachable",
    hint: "the server went away while the program was using it",
  },
];

/** Anything but a program's failure is given back as it is. */
export const clientProgramError = (error: unknown, target: ConnectionTarget, role: ServerRole): unknown => {
  if (!(error instanceof RefloatError) || error.code !== "program.failed") return error;
  const failed: ErrorCode = role === "source" ? "source.failed" : "target.failed";
  const reading = readings.find(({ pattern }) => pattern.test(error.message));
  const place = describeAddress(target);
  const context = { ...error.context, address: place, database: target.database };
  return new RefloatError(reading?.code(failed) ?? failed, `${reading?.lead?.(place) ?? ""}${error.message}`, {
    cause: error,
    context,
    ...(reading === undefined ? {} : { hint: reading.hint }),
  });
};
