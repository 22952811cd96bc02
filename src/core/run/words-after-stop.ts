/** What can be typed about a run that has stopped and not ended well: every word that works in its state, the most sensible first. */
import type { PlanStep } from "../../model/plan.ts";
import type { RunRecord, RunState } from "../../model/run.ts";
import { hasSideToPutBack } from "./refuse-undo.ts";
import { hasAdmitBegun } from "./resume-rules.ts";
import { buildStepGraph } from "./step-graph.ts";

const stopped: ReadonlySet<RunState> = new Set(["interrupted", "waiting", "failed", "needs-operator"]);

/** @returns whole commands; none for a run that goes on or has ended well */
export const wordsAfterStop = (record: RunRecord, steps: readonly PlanStep[]): readonly string[] => {
  if (!stopped.has(record.state)) return [];
  const resume = `refloat resume ${record.number}`;
  const cancel = `refloat cancel ${record.number}`;
  // Taken back, names, applications and traffic with them, as long as nobody was let in to the new side.
  if (!hasAdmitBegun(record, buildStepGraph(steps)))
    return record.direction === "cancel" ? [cancel, resume] : [resume, cancel];
  return record.state === "needs-operator" && hasSideToPutBack(record)
    ? [resume, `refloat undo ${record.number}`]
    : [resume];
};
