/** Where a run did not go smoothly, from its events: what was tried again, cut short, made again, or warned of. */
import type { StepId } from "../../model/identifiers.ts";
import type { RunEvent, RunState } from "../../model/run.ts";
import type { RunWord } from "../../model/run-word.ts";

export type PlanEdit = NonNullable<RunWord["edit"]> & {
  readonly step: StepId;
  readonly by: string;
  readonly reason: string;
};

export type Stumbles = {
  /** Attempts that failed and were made again. */
  readonly retries: number;
  /** How often a new process took the run up. */
  readonly interruptions: number;
  /** Steps that had been done and were done again because their effect was gone. */
  readonly redone: number;
  /** Changes of the plan by people while the run stood still, in order. */
  readonly edits: readonly PlanEdit[];
  readonly warnings: readonly string[];
  /** Time in which nobody worked on the run though it waited for nobody: from the last word of one process to the first of the next. */
  readonly stoppedMs: number;
};

const takenUpPrefix = "taken up, epoch ";
const warningPrefix = "warning: ";

/** The message of the event by which a process takes a run up. */
export const takenUpMessage = (epoch: number): string => `${takenUpPrefix}${epoch}`;

/** The message of a note about something that did not stop the run. */
export const warningMessage = (warning: string): string => `${warningPrefix}${warning}`;

/** The message by which a run remembers that it was taken from another machine's copy, which is made before a cutover. */
export const fromCopyMessage = warningMessage(
  "taken over from a copy of another machine's journal; its cutover may have gone further than the copy says",
);

/** @param events of one run, in order */
export const stumblesOf = (events: readonly RunEvent[]): Stumbles => {
  let [retries, interruptions, redone, stoppedMs] = [0, 0, 0, 0];
  const warnings: string[] = [];
  const edits: PlanEdit[] = [];
  let state: RunState = "running";
  // All events of a take-up are of one instant; the last event of another instant is the last word of the process before.
  let lastWordMs = 0;
  let instantMs = 0;
  for (const event of events) {
    const atMs = Date.parse(event.at);
    if (atMs !== instantMs) [lastWordMs, instantMs] = [instantMs, atMs];
    if (event.type === "step") {
      if (event.state === "retry-wait") retries += 1;
      if (event.state === "pending") redone += 1;
    }
    if (event.type === "word" && event.word.edit !== undefined && event.word.step !== null) {
      const { edit, step, by, reason = "" } = event.word;
      edits.push({ ...edit, step, by, reason });
    }
    if (event.type !== "run") continue;
    if (event.message?.startsWith(warningPrefix) === true) warnings.push(event.message.slice(warningPrefix.length));
    if (event.message?.startsWith(takenUpPrefix) === true) {
      interruptions += 1;
      if (state !== "waiting" && lastWordMs > 0) stoppedMs += Math.max(0, atMs - lastWordMs);
    }
    state = event.state;
  }
  return { retries, interruptions, redone, edits, warnings, stoppedMs };
};
