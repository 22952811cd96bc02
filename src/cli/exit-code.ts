/** The numbers that a script sees. Each error has its own in the catalogue; a run that ended badly is an error too (run-error.ts). */
import { type ErrorCode, type ErrorEntry, errorCatalogue } from "../model/error-catalogue.ts";

export type ExitCode = 0 | ErrorEntry["exit"];

/** What each number means, for `--help` and the documents. */
export const exitMeanings = {
  0: "done",
  2: "the input is wrong (command line, refloat.yaml, a name); nothing was begun",
  3: "refused; nothing was changed",
  4: "failed; what is live is untouched",
  5: "failed and undone; the old side serves again",
  6: "a person is needed",
  7: "interrupted; can be resumed",
  70: "a bug in Refloat",
} as const satisfies Record<ExitCode, string>;

export const exitCodes = Object.keys(exitMeanings).map(Number) as readonly ExitCode[];

export const exitOfError = (code: ErrorCode): ExitCode => errorCatalogue[code].exit;
