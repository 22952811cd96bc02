/** When a run first changed what is live: what "before run 42" means. */
import type { Plan } from "../../model/plan.ts";
import type { RunEvent, RunRecord } from "../../model/run.ts";

export type RunMoment = {
  readonly number: number;
  readonly uid: string;
  readonly service: string;
  readonly purpose: RunRecord["purpose"];
  readonly state: RunRecord["state"];
  /** ISO. */
  readonly beganAt: string;
  /** ISO; null while it goes on or waits. */
  readonly endedAt: string | null;
  /** When its first step of the cutover began, ISO; null while nothing live was changed, as far as is known. */
  readonly changedAt: string | null;
};

export const runMoment = (
  { number, uid, service, purpose, state, beganAt, endedAt }: RunRecord,
  { intent }: Plan,
  events: readonly RunEvent[],
): RunMoment => {
  const cutover = new Set<string>(intent.steps.filter(({ phase }) => phase === "cutover").map(({ id }) => id));
  // The record keeps the begin of the last attempt only.
  const first = events.find((event) => event.type === "step" && event.state === "running" && cutover.has(event.step));
  return { number, uid, service, purpose, state, beganAt, endedAt, changedAt: first?.at ?? null };
};
