/** Calls something each time that a declared schedule is due. Knows no Refloat command and shows nothing. */
import { setTimeout as delay } from "node:timers/promises";
import { nextDue } from "../../src/core/points/overdue.ts";

export type KeptSchedule = {
  /** As declared: `every 30m` or a cron expression, in the time zone of this machine. */
  readonly schedule: string;
  /** When the last point was taken; null when there is none: then one is due now, whatever the schedule. */
  readonly lastAt: string | null;
  /** The next one is counted from when this was called, whether or not it went well: cron does not try again in between. */
  readonly whenDue: (next: Date) => Promise<void>;
  readonly signal: AbortSignal;
};

/** No longer sleep than this, as cron does: the clock may be set, and a timer counts to 24 days only. */
const longestSleepMs = 60_000;

/**
 * Ends with the signal, without an error, when `whenDue` has ended.
 * @throws when the schedule names no further moment
 */
export const keepSchedule = async ({ schedule, lastAt, whenDue, signal }: KeptSchedule): Promise<void> => {
  let dueAt = lastAt === null ? new Date() : dueAfter(schedule, lastAt);
  while (await sleepUntil(dueAt, signal)) {
    dueAt = dueAfter(schedule, new Date().toISOString());
    await whenDue(dueAt);
  }
};

const dueAfter = (schedule: string, lastAt: string): Date => {
  const due = nextDue(schedule, lastAt, Intl.DateTimeFormat().resolvedOptions().timeZone);
  if (due === null) throw new Error(`the schedule "${schedule}" names no moment after ${lastAt}`);
  return due;
};

/** @returns whether the time has come; otherwise the signal has */
const sleepUntil = async (time: Date, signal: AbortSignal): Promise<boolean> => {
  for (let leftMs = time.getTime() - Date.now(); leftMs > 0; leftMs = time.getTime() - Date.now()) {
    if (signal.aborted) return false;
    await delay(Math.min(leftMs, longestSleepMs), undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
  return !signal.aborted;
};
