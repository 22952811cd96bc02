/**
 * What a transition does to a record. The journal stores what this returns and the engine keeps what this returns, so that
 * both always see the same run.
 */
import type { RunDirection, RunRecord, StepRecord } from "../../model/run.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Transition } from "../ports/engine.ts";
import { assertRunTransition, assertStepTransition, hasEnded } from "./legal-transitions.ts";

export type AppliedTransition = {
  /** The record without its steps. */
  readonly run: Omit<RunRecord, "steps">;
  readonly step: StepRecord | null;
};

/**
 * Exactly one of the two parts, so that each transition is one event.
 * @param current the step that the transition names, as it is now
 * @throws RefloatError bug if the state machine does not allow it
 */
export const applyTransition = (
  run: Omit<RunRecord, "steps">,
  current: StepRecord | null,
  transition: Transition,
): AppliedTransition => {
  if ((transition.step === undefined) === (transition.run === undefined))
    throw new RefloatError("bug", "a transition is of a step or of the run, and not of both");
  if (transition.step !== undefined) {
    if (current === null) throw new RefloatError("bug", `run ${run.number} has no step ${transition.step.id}`);
    assertStepTransition(run, current.id, current.state, transition.step.state);
    return { run, step: { ...current, ...transition.step } };
  }
  const change = transition.run;
  if (change === undefined) return { run, step: null };
  assertRunTransition(run, change.state);
  const isNote = change.state === run.state && change.direction === undefined;
  return {
    run: {
      ...run,
      state: change.state,
      direction: change.direction ?? run.direction,
      endedAt: change.endedAt === undefined ? run.endedAt : change.endedAt,
      message: isNote ? run.message : (change.message ?? null),
    },
    step: null,
  };
};

/** Steps that were never begun when their run was cancelled will not be begun any more. */
export const closeSteps = (run: Omit<RunRecord, "steps">, step: StepRecord): StepRecord =>
  run.state === "cancelled" && step.state === "pending" ? { ...step, state: "cancelled" } : step;

/** The record as a process finds it that takes the run up: whatever was going on is not known to have ended. */
export const takenUp = (record: RunRecord, direction: RunDirection): RunRecord => ({
  ...record,
  direction,
  epoch: record.epoch + 1,
  state: "running",
  message: null,
  endedAt: hasEnded(record.state) ? null : record.endedAt,
  steps: record.steps.map((step) =>
    step.state === "running" || step.state === "compensating" ? { ...step, state: "interrupted" } : step,
  ),
});
