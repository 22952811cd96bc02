/**
 * Whether what stands behind a component's name is another side than at a moment before: a recovery has put a new one there, or an undo the old one back. Rows
 * that were compared with the one are not to be written to, or removed from, the other, which may have them by itself.
 */
import type { RunRecord, StepRecord } from "../../model/run.ts";

/** Of a switch that was taken back, or came to nothing: another side was live in between. */
const wasMeanwhile = (run: RunRecord, { beganAt }: StepRecord, moment: number): boolean =>
  beganAt !== null && Date.parse(beganAt) < moment && (run.endedAt === null || moment < Date.parse(run.endedAt));

const hasChanged = (run: RunRecord, step: StepRecord, moment: number): boolean => {
  if (step.state === "skipped" || step.state === "cancelled" || step.beganAt === null) return false;
  if (step.state === "done") return Date.parse(step.endedAt ?? step.beganAt) > moment;
  // Half way nobody knows which side it is.
  return step.state === "compensated" || step.state === "failed" ? wasMeanwhile(run, step, moment) : true;
};

/**
 * @param runs of the service
 * @param moment ISO 8601, by the clock of the machine whose journal the runs are of
 * @returns the newest run that has changed it, or is about to; null where none has, as far as this machine knows
 */
export const sideChangedSince = (runs: readonly RunRecord[], component: string, moment: string): RunRecord | null => {
  const changed = runs.filter((run) =>
    run.steps.some((step) => step.id === `switch:${component}` && hasChanged(run, step, Date.parse(moment))),
  );
  return changed.toSorted((a, b) => b.number - a.number)[0] ?? null;
};
