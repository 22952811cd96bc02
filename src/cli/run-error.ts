/** A run that did not end as it was asked to, as an error: what a script, a log or a pager sees of it. */
import type { ErrorCode } from "../model/error-catalogue.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord, RunState } from "../model/run.ts";
import type { UnfinishedRun } from "../operations/unfinished-runs.ts";
import { whatIsLive } from "./unfinished-notice.ts";

/** The one table from the state of a run to its error, and so to the exit code. `waiting` needs a person; `running` means that another process has taken the run over. */
const codeByState = {
  succeeded: null,
  committed: null,
  cancelled: null,
  failed: "run.failed",
  undone: "run.undone",
  waiting: "run.needs-person",
  "needs-operator": "run.needs-person",
  interrupted: "run.interrupted",
  running: "run.fenced",
} as const satisfies Record<RunState, ErrorCode | null>;

export const runError = (run: UnfinishedRun): RefloatError | null => {
  const { record } = run;
  const code = codeByState[record.state];
  if (code === null) return null;
  const done = record.steps.filter(({ state }) => state === "done").length;
  const resumable = ["interrupted", "waiting", "needs-operator"].includes(record.state);
  return new RefloatError(code, `run ${record.number} of ${record.service} ${ending(record)}`, {
    context: { run: record.number, uid: record.uid, state: record.state },
    state:
      {
        failed: "live is untouched; what was restored stands beside it until the run is cancelled",
        undone: "the old side serves again",
      }[record.state as string] ?? `${done} of ${record.steps.length} steps done, ${whatIsLive(run)}`,
    nextCommand: `refloat ${resumable ? "resume" : "runs"} ${record.number}`,
  });
};

const ending = ({ state, message, steps }: RunRecord): string => {
  const failed = steps.find(({ state: now, error }) => error !== null && now !== "skipped");
  const why = message ?? (failed === undefined ? null : `${failed.id.replace(":", " ")}: ${failed.error?.message}`);
  const word = {
    failed: "failed",
    undone: "failed in the cutover, which was undone",
    waiting: "waits for an answer",
    "needs-operator": "needs a person",
    interrupted: "was interrupted",
    running: "is executed by another process",
  }[state as string];
  return `${word ?? state}${why === null ? "" : `: ${why}`}`;
};
