/**
 * The state machine of steps and runs: which state may follow which. The journal refuses every other transition, so that a
 * mistake in an engine shows at once and not as a record that says what never happened.
 */
import type { RunRecord, RunState, StepState } from "../../model/run.ts";
import { RefloatError } from "../../model/refloat-error.ts";

const stepSuccessors = {
  // Without `running` in between: `prepare` failed, nothing was begun.
  pending: ["running", "retry-wait", "failed", "needs-operator", "compensating", "skipped"],
  running: ["done", "retry-wait", "waiting", "interrupted", "failed", "needs-operator", "skipped"],
  "retry-wait": ["running", "retry-wait", "failed", "needs-operator", "compensating", "skipped"],
  waiting: ["running", "compensating", "skipped"],
  interrupted: ["running", "compensating", "skipped"],
  // `pending`: the effect is gone, or something that it stood on is applied again.
  done: ["pending", "compensating"],
  failed: ["running", "retry-wait", "failed", "needs-operator", "compensating", "skipped"],
  // A cancel takes back what its attempts had made.
  skipped: ["compensating"],
  cancelled: [],
  compensating: ["compensated", "needs-operator", "interrupted"],
  compensated: [],
  "needs-operator": ["running", "retry-wait", "failed", "needs-operator", "compensating", "skipped"],
} as const satisfies Record<StepState, readonly StepState[]>;

/** A state may follow itself: that is a note. */
const runSuccessors = {
  running: ["waiting", "interrupted", "succeeded", "failed", "undone", "needs-operator", "cancelled"],
  waiting: ["running"],
  interrupted: ["running"],
  failed: ["running"],
  // Only to cancel: to remove what the run built and an undo left.
  undone: ["running"],
  // `undone`: a run of its own took it back.
  "needs-operator": ["running", "undone"],
  succeeded: ["committed", "undone"],
  cancelled: [],
  committed: [],
} as const satisfies Record<RunState, readonly RunState[]>;

/** A run of the service stands in the way of another one: it goes on, or waits for a person to resume or cancel it. */
export const isLive = (state: RunState): boolean =>
  ({
    running: true,
    waiting: true,
    interrupted: true,
    "needs-operator": true,
    // Live is untouched (or back), and nothing acts any more; what was built bears this run's number and is in nobody's way.
    failed: false,
    undone: false,
    succeeded: false,
    cancelled: false,
    committed: false,
  })[state] satisfies Record<RunState, boolean>[RunState];

/** The run's end has come: its record carries `endedAt`. */
export const hasEnded = (state: RunState): boolean => !["running", "waiting", "interrupted"].includes(state);

export const mayFollow = {
  step: (from: StepState, to: StepState): boolean => (stepSuccessors[from] as readonly StepState[]).includes(to),
  run: (from: RunState, to: RunState): boolean =>
    from === to || (runSuccessors[from] as readonly RunState[]).includes(to),
};

/** @throws RefloatError bug */
export const assertStepTransition = (
  run: Pick<RunRecord, "number" | "state">,
  step: string,
  from: StepState,
  to: StepState,
): void => {
  if (run.state !== "running")
    throw new RefloatError("bug", `step ${step} of run ${run.number} cannot become ${to}: the run is ${run.state}`);
  if (!mayFollow.step(from, to))
    throw new RefloatError("bug", `step ${step} of run ${run.number} cannot go from ${from} to ${to}`);
};

/** @throws RefloatError bug */
export const assertRunTransition = (run: Pick<RunRecord, "number" | "state">, to: RunState): void => {
  if (!mayFollow.run(run.state, to))
    throw new RefloatError("bug", `run ${run.number} cannot go from ${run.state} to ${to}`);
};
