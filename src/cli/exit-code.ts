/** The one table from what happened to the number that a script sees. */
import { type ErrorCode, type ErrorEntry, errorCatalogue } from "../model/error-catalogue.ts";
import type { RunState } from "../model/run.ts";

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

/** `waiting` is 6: the run goes on only when a person answers. `running` means that this process lost the run to another one. */
const exitByRunState = {
  succeeded: 0,
  committed: 0,
  cancelled: 0,
  failed: 4,
  undone: 5,
  waiting: 6,
  "needs-operator": 6,
  interrupted: 7,
  running: 7,
} as const satisfies Record<RunState, ExitCode>;

/** For commands that execute a run; looking at one that failed is no failure. */
export const exitOfRun = (state: RunState): ExitCode => exitByRunState[state];
