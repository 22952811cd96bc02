/** What each step did when, from the events of its run: one entry for each attempt, with the time that it waited told apart from the time that it worked. Pure. */
import type { StepId } from "../../model/identifiers.ts";
import type { RunEvent, StepRecord, StepState } from "../../model/run.ts";

export type StepAttempt = {
  readonly step: StepId;
  readonly attempt: number;
  /** It was taken back. */
  readonly compensates: boolean;
  /** ISO. */
  readonly beganAt: string;
  /** ISO; null while it goes on. */
  readonly endedAt: string | null;
  /** What it came to: `done`, `failed`, `retry-wait`, `waiting` for a person, `interrupted`, ...; `running` while it goes on. */
  readonly state: StepState;
  readonly error: StepRecord["error"];
};

type StepEvent = Extract<RunEvent, { readonly type: "step" }>;

const begins = ({ state }: StepEvent): boolean => state === "running" || state === "compensating";

/**
 * In the order in which they began.
 * @param events of one run, in order. An attempt whose process was killed ends with the last word of that process, not when another took the run up
 */
export const stepAttempts = (events: readonly RunEvent[]): readonly StepAttempt[] => {
  const attempts: StepAttempt[] = [];
  const open = new Map<StepId, number>();
  // All events of a take-up are of one instant; the last event of another instant is the last word of the process before.
  let [lastWord, instant] = ["", ""];
  for (const event of events) {
    if (event.at !== instant) [lastWord, instant] = [instant, event.at];
    if (event.type !== "step") continue;
    const index = open.get(event.step);
    const current = index === undefined ? undefined : attempts[index];
    if (index !== undefined && current !== undefined) {
      const killed = event.state === "interrupted" && lastWord > current.beganAt;
      attempts[index] = {
        ...current,
        endedAt: killed ? lastWord : event.at,
        state: event.state,
        error: event.error ?? null,
      };
      open.delete(event.step);
    }
    if (!begins(event)) continue;
    open.set(event.step, attempts.length);
    attempts.push({
      step: event.step,
      attempt: event.attempt,
      compensates: event.state === "compensating",
      beganAt: event.at,
      endedAt: null,
      state: event.state,
      error: null,
    });
  }
  return attempts;
};
