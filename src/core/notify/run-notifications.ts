/** Watches runs for the notifier: an engine that does what the given one does, and tells of begin, wait and end. */
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import type { Notification, NotificationEvent } from "../../model/notification.ts";
import type { RunEvent, RunRecord, RunState } from "../../model/run.ts";
import type { Engine, Journal, RunListener } from "../ports/engine.ts";
import type { Clock } from "../ports/environment.ts";
import type { Notifier } from "../ports/notifier.ts";

export type NotifyingParts = {
  readonly notifier: Pick<Notifier, "tell">;
  readonly journal: Pick<Journal, "readRun">;
  readonly clock: Pick<Clock, "now">;
  readonly host: string;
};

/** What the state of a run that nobody executes any more is told as; null for what a person has just done himself. */
const eventOf: Record<RunState, NotificationEvent | null> = {
  running: null,
  waiting: "run-waiting",
  interrupted: "run-failed",
  succeeded: "run-succeeded",
  failed: "run-failed",
  undone: "run-failed",
  "needs-operator": "run-failed",
  cancelled: null,
  committed: null,
};

const titleOf = ({ service, number, purpose }: RunRecord, state: RunState): string => {
  const what = purpose === "undo" ? "undo" : "recovery";
  const words: Record<RunState, string> = {
    running: `${what} of ${service} has begun`,
    waiting: `${what} of ${service} waits for an answer`,
    interrupted: `${what} of ${service} was interrupted`,
    succeeded: purpose === "undo" ? `${service} is back on its old side` : `${service} is recovered`,
    failed: `${what} of ${service} failed, live is untouched`,
    undone: `the cutover of ${service} failed and was undone`,
    "needs-operator": `${what} of ${service} needs a person`,
    cancelled: `${what} of ${service} was cancelled`,
    committed: `${what} of ${service} was committed`,
  };
  return `${words[state]} (run ${number})`;
};

const nextOf = (number: number, state: RunState): string =>
  state === "running"
    ? `refloat runs ${number} --follow`
    : state === "succeeded"
      ? `refloat runs ${number}`
      : `refloat resume ${number}`;

const failureOf = ({ steps, message }: RunRecord): string =>
  message ?? steps.find(({ error }) => error !== null)?.error?.message ?? "";

export const notifyingEngine = (engine: Engine, { notifier, journal, clock, host }: NotifyingParts): Engine => {
  const notification = (
    record: RunRecord,
    event: NotificationEvent,
    state: RunState,
    message: string,
  ): Notification => ({
    schema: "refloat/notification/v1",
    event,
    at: clock.now().toISOString(),
    service: record.service,
    host,
    title: titleOf(record, state),
    message,
    next: nextOf(record.number, state),
    run: record.number,
    state,
  });
  /** Of those that were executed together some may have come to their end before. @returns null for what a person has just done himself */
  const brokenOff = (record: RunRecord, message: string): Notification | null => {
    if (record.state === "running" || record.state === "interrupted")
      return notification(record, "run-failed", "interrupted", message);
    const event = eventOf[record.state];
    return event && notification(record, event, record.state, event === "run-succeeded" ? "" : failureOf(record));
  };
  const watchedAll = async (
    listener: RunListener,
    act: (listener: RunListener) => Promise<readonly RunRecord[]>,
  ): Promise<readonly RunRecord[]> => {
    const begun = new Set<RunEvent["run"]>();
    const tellBegin = ({ run }: RunEvent): void => {
      if (begun.has(run)) return;
      begun.add(run);
      notifier.tell(async () => notification((await journal.readRun(run)).record, "run-started", "running", ""));
    };
    try {
      const records = await act((event) => {
        tellBegin(event);
        listener(event);
      });
      for (const record of records) {
        const event = eventOf[record.state];
        if (event !== null)
          notifier.tell(notification(record, event, record.state, event === "run-succeeded" ? "" : failureOf(record)));
      }
      return records;
    } catch (error) {
      const { message } = toRefloatError(error);
      if (!(error instanceof RefloatError && error.code === "run.fenced"))
        for (const run of begun) notifier.tell(async () => brokenOff((await journal.readRun(run)).record, message));
      throw error;
    }
  };
  const watched = async (
    listener: RunListener,
    act: (listener: RunListener) => Promise<RunRecord>,
  ): Promise<RunRecord> => {
    const [record] = await watchedAll(listener, async (told) => [await act(told)]);
    if (record === undefined) throw new RefloatError("bug", "a run ended without a record");
    return record;
  };
  return {
    executeJoint: (plan, options) =>
      watchedAll(options.listener, (listener) => engine.executeJoint(plan, { ...options, listener })),
    resumeJoint: (run, options) =>
      watchedAll(options.listener, (listener) => engine.resumeJoint(run, { ...options, listener })),
    execute: (plan, options) => watched(options.listener, (listener) => engine.execute(plan, { ...options, listener })),
    resume: (run, options) => watched(options.listener, (listener) => engine.resume(run, { ...options, listener })),
    cancel: engine.cancel,
  };
};
