/** Which runs of one service stand in each other's way. Asked inside the transaction that would begin or take up a run. */
import { isLive } from "../core/run/legal-transitions.ts";
import { inProgress } from "../core/run/refuse-second-run.ts";
import { refuseUndo } from "../core/run/refuse-undo.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunDirection, RunRecord, RunState } from "../model/run.ts";
import type { RunWithoutSteps, StoredRun } from "./journal-statements.ts";

/**
 * An undo puts one state of the world back, and only once: its plan can still be named by its digest when that world is gone.
 * @param runs of the service, with their steps
 * @throws RefloatError run.wrong-state
 */
export const refuseOutlivedUndo = (runs: readonly RunRecord[], undoes: NonNullable<Plan["intent"]["undoes"]>): void => {
  const undone = runs.find(({ uid }) => uid === undoes.runUid);
  if (undone !== undefined) {
    refuseUndo(undone, runs);
    return;
  }
  throw new RefloatError("run.wrong-state", `run ${undoes.run} cannot be undone: this journal does not know it`, {
    hint: "undo it where it ran",
    nextCommand: "refloat runs",
  });
};

const endedForGood: Partial<Record<RunState, string>> = {
  succeeded: "it has succeeded",
  committed: "it has succeeded and was committed",
  cancelled: "it was cancelled already, and what it built is removed",
};

/** What a run without a cutover restored stands beside live until somebody has looked at it; a cancel is how it goes. */
const isRestoredBeside = (run: RunWithoutSteps, plan: Plan): boolean =>
  run.state === "succeeded" && plan.intent.purpose === "recover" && !plan.intent.cutover;

/**
 * A run that failed may go on only while nothing has happened since: after a later run its plan is about a world that is gone.
 * What it built bears its number, so a cancel removes nothing else and is always allowed.
 * @param later runs of the service with a higher number
 * @throws RefloatError run.wrong-state, run.in-progress
 */
export const refuseTakeUp = (
  { run, madeAs }: StoredRun,
  later: readonly StoredRun[],
  direction: RunDirection,
  plan: Plan,
): void => {
  const asked = direction === "cancel" ? "cancelled" : "taken up";
  const wrongState = (why: string, hint: string): RefloatError =>
    new RefloatError("run.wrong-state", `run ${run.number} cannot be ${asked}: ${why}`, {
      hint,
      nextCommand: `refloat runs ${run.number}`,
      context: { state: run.state },
    });
  const ended = endedForGood[run.state];
  const mayBeCancelled = direction === "cancel" && isRestoredBeside(run, plan);
  if (ended !== undefined && !mayBeCancelled) throw wrongState(ended, "see its report");
  if (madeAs !== run.number) {
    throw wrongState(
      `it is a copy of run ${madeAs} of another journal, and what it made bears that number`,
      "begin with an empty state folder, so that the copy keeps its number",
    );
  }
  if (direction === "cancel") return;
  for (const { run: other } of later) {
    if (isLive(other.state)) throw inProgress(other);
    if (other.state !== "failed" && other.state !== "cancelled")
      throw wrongState(`run ${other.number} of ${run.service} came after it (${other.state})`, "plan anew");
  }
};
