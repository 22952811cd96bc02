/** Failures of the journal in a person's words. */
import { type RefloatErrorOptions, RefloatError } from "../model/refloat-error.ts";
import { type SqliteFailure, describeSqliteFailure } from "../platform/sqlite.ts";

const hints: Record<SqliteFailure["kind"], string> = {
  full: "make room on that file system, then resume the run; what was journaled before is safe",
  "read-only": "the user that runs Refloat must own the state folder",
  corrupt: "move the file away; copies of the runs are in the vault",
  busy: "look for a process that is stopped or hangs while it holds the file",
  unreadable: "the state folder must be on a local disk that works",
  newer: "use the newer version of Refloat",
  other: "the state folder must be on a local disk that works",
};

export const journalFailed = (path: string, words: string, options: RefloatErrorOptions = {}): RefloatError =>
  new RefloatError("journal.failed", `the journal ${path} failed: ${words}`, options);

/** One of ours as it is, SQLite's as journal.failed, anything else unchanged: it is a bug. */
export const translateJournalError = (path: string, error: unknown): unknown => {
  if (error instanceof RefloatError) return error;
  const failure = describeSqliteFailure(error);
  return failure === null
    ? error
    : journalFailed(path, failure.words, { cause: error, hint: hints[failure.kind], context: { kind: failure.kind } });
};
