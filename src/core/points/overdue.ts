/** When a service's next point is due, or should have been taken, by its declared schedule. */
import { Cron } from "croner";
import { readSchedule } from "../declaration/schedule.ts";

/**
 * The moment since which a capture is overdue, or null when it is not, or when the schedule cannot be read (the declaration's checks say so).
 * @param schedule `every 30m` or a cron expression
 * @param lastAt when the last point was taken, ISO; null when there is none: then nothing is overdue, all is missing
 */
export const overdueSince = (
  schedule: string | undefined,
  lastAt: string | null,
  now: string,
  timeZone: string,
): string | null => {
  if (schedule === undefined || lastAt === null) return null;
  const due = nextDue(schedule, lastAt, timeZone);
  return due !== null && due.getTime() < Date.parse(now) ? due.toISOString() : null;
};

/**
 * When the point after one of `lastAt` (ISO) is due; null when the schedule cannot be read or names no further moment.
 * @param text `every 30m` or a cron expression, which is read in `timeZone`
 */
export const nextDue = (text: string, lastAt: string, timeZone: string): Date | null => {
  const schedule = readSchedule(text);
  switch (schedule.kind) {
    case "every":
      return new Date(Date.parse(lastAt) + schedule.everyMs);
    case "cron":
      return new Cron(schedule.pattern, { paused: true, timezone: timeZone }).nextRun(new Date(lastAt));
    case "unreadable":
      return null;
    default:
      return schedule satisfies never;
  }
};
