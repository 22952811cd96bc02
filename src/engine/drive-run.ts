/**
 * Drives a run that this process holds to an end or a wait, and journals which: forward, and, when a step of the cutover could
 * not be done, back again.
 */
import { consequenceOfFailure } from "../core/run/failure-rules.ts";
import { hasAdmitBegun, hasCutoverBegun } from "../core/run/resume-rules.ts";
import type { RunRecord, RunState } from "../model/run.ts";
import { askDoneSteps } from "./ask-done-steps.ts";
import { goBackward } from "./go-backward.ts";
import { goForward } from "./go-forward.ts";
import { inspectAdmission } from "./inspect-admission.ts";
import type { JointLane, Unmet } from "./joint-lanes.ts";
import type { LiveRun } from "./live-run.ts";
import type { StepEnvironment, StepError } from "./step-environment.ts";

export type DriveOptions = {
  readonly live: LiveRun;
  readonly environment: StepEnvironment;
  readonly signal: AbortSignal;
  readonly beforeCutover: () => Promise<string | null>;
  /** Was its cutover called off, since what it is for works? */
  readonly isLeftAlone: () => boolean;
  /** Of a run that is executed together with others, once all of them are ready. */
  readonly lane?: JointLane;
};

/** A run that begins. */
export const driveForward = async (options: DriveOptions): Promise<void> => {
  const { live, environment, signal } = options;
  const end = await goForward(live, environment, signal, options);
  switch (end.kind) {
    case "succeeded":
      await live.recordRun("succeeded");
      return;
    case "waiting":
      await live.recordRun("waiting", end.message);
      return;
    case "interrupted":
      await live.recordRun("interrupted", stoppedMessage(live.record, live));
      return;
    case "called-off":
      await live.recordRun("running", end.why, "cancel");
      await driveBackward(options, "cancel", end.why);
      return;
    case "unmet": {
      const state = stateOfUnmet(end.on);
      // Of one that was taken up in its cutover, what it needs may be gone since: then that is taken back as after any failure.
      if (state === "failed") await settleFailure(options, describeUnmet(end.on));
      else await live.recordRun(state, describeUnmet(end.on));
      return;
    }
    case "failed":
      await settleFailure(options, `${end.step} failed: ${wordsOf(end.error)}`);
  }
};

/** A run that is taken up: on the way it was going when it was left. */
export const driveResumed = async (options: DriveOptions, before: RunRecord): Promise<void> => {
  if (await mayGoForward(options, before)) await driveForward(options);
};

/**
 * Asks a run that is taken up for what was done. One that goes another way, or can be asked nothing, is driven to its end.
 * @returns whether it is to be driven forward
 */
export const mayGoForward = async (options: DriveOptions, before: RunRecord): Promise<boolean> => {
  const { live, environment, signal } = options;
  if (live.direction !== "forward") {
    await driveBackward(options, live.direction, reasonToGoBack(before));
    return false;
  }
  const unanswered = diedOfFailure(before, live);
  if (unanswered !== null) {
    await settleFailure(options, unanswered);
    return false;
  }
  const asked = await askDoneSteps(live, environment, signal);
  if (asked.kind === "interrupted") {
    await live.recordRun("interrupted", stoppedMessage(live.record, live));
    return false;
  }
  if (asked.kind === "unknown") {
    const state = hasCutoverBegun(live.record, live.graph) ? "needs-operator" : "failed";
    await live.recordRun(state, `${asked.step} cannot be inspected: ${wordsOf(asked.error)}`);
    return false;
  }
  return true;
};

/** Of one that begins, nothing of its cutover has begun: that waits for them all. */
const stateOfUnmet = (on: readonly Unmet[]): RunState => {
  const states = new Set(on.map(({ state }) => state));
  if (states.size > 1) return "failed";
  return states.has("waiting") ? "waiting" : states.has("interrupted") ? "interrupted" : "failed";
};

const describeUnmet = (on: readonly Unmet[]): string =>
  on
    .map(({ service, number, state, message }) =>
      state === "waiting"
        ? `it waits for ${service}, whose run ${number} waits: ${message ?? "for a person"}`
        : `${service}, which it needs, is not there: run ${number} ${describeState(state)}${message === null ? "" : `: ${message}`}`,
    )
    .join("; ");

const describeState = (state: RunState): string =>
  ({
    interrupted: "was interrupted",
    undone: "was undone",
    cancelled: "was cancelled",
    "needs-operator": "needs a person",
  })[state as string] ?? state;

export const driveBackward = async (
  { live, environment, signal }: DriveOptions,
  direction: "undo" | "cancel",
  why: string,
): Promise<void> => {
  const end = await goBackward(live, environment, signal, direction);
  switch (end.kind) {
    case "taken-back":
      await live.recordRun(direction === "undo" ? "undone" : "cancelled", why);
      return;
    case "interrupted":
      // The reason stays the message, for the process that goes on with it.
      await live.recordRun("interrupted", why);
      return;
    case "needs-operator":
      await live.recordRun(
        "needs-operator",
        `${end.step} could not be taken back: ${wordsOf(end.error)}; what it stands on was left as it is`,
      );
  }
};

const settleFailure = async (options: DriveOptions, why: string): Promise<void> => {
  const { live } = options;
  const consequence = consequenceOfFailure(live.record, live.graph);
  if (consequence === "fail") {
    await live.recordRun("failed", why);
  } else if (consequence === "needs-operator") {
    await live.recordRun("needs-operator", `${why}; ${await inspectAdmission(live, options.environment)}`);
  } else if (live.hasStuckWork) {
    await live.recordRun("needs-operator", `${why}; nothing was undone while a step may still act`);
  } else {
    await live.recordRun("running", why, "undo");
    await driveBackward(options, "undo", why);
  }
};

export const cancelledWords = "cancelled on request; what it had built is removed";

const reasonToGoBack = ({ direction, state, message }: RunRecord): string =>
  state === "needs-operator" || message === null
    ? direction === "cancel"
      ? cancelledWords
      : "its cutover failed"
    : message;

/** The process died after a step of the cutover had failed and before the undo was written down: undo, do not try again. */
const diedOfFailure = (before: RunRecord, live: LiveRun): string | null => {
  if (before.state !== "running" || !hasCutoverBegun(before, live.graph) || hasAdmitBegun(before, live.graph))
    return null;
  const failed = before.steps.find(({ state }) => state === "failed" || state === "needs-operator");
  return failed === undefined ? null : `${failed.id} failed: ${failed.error?.message ?? "for no known reason"}`;
};

const wordsOf = ({ message, hint }: StepError): string => (hint === undefined ? message : `${message} (${hint})`);

const stoppedMessage = (record: RunRecord, { graph }: LiveRun): string => {
  if (hasAdmitBegun(record, graph)) return "stopped on request; traffic may be on the new side";
  if (hasCutoverBegun(record, graph)) return "stopped on request in the cutover; traffic may be held";
  return "stopped on request; live is untouched";
};
