import { expect, test } from "vitest";
import { readSchedule } from "./schedule.ts";

test.each([
  ["every 30m", { kind: "every", everyMs: 1_800_000 }],
  ["every 1h30m", { kind: "every", everyMs: 5_400_000 }],
  ["0 */4 * * *", { kind: "cron", pattern: "0 */4 * * *" }],
  ["30 0 4 * * mon-fri", { kind: "cron", pattern: "30 0 4 * * mon-fri" }],
])("%s", (text, schedule) => {
  expect(readSchedule(text)).toEqual(schedule);
});

test.each([
  ["30m", 'write "every 30m"'],
  ["every 15 minutes", 'write "every 15m"'],
  ["Hourly", 'write "every 1h"'],
  ["every day", 'write "every 1d"'],
  ["every 0s", "the shortest interval is 1s"],
  ["now and then", 'write an interval such as "every 30m" or a cron expression such as "0 */4 * * *"'],
])("%s is answered with what would be right", (text, hint) => {
  expect(readSchedule(text)).toEqual({ kind: "unreadable", hint });
});

test("a cron expression that cannot be says why", () => {
  expect(readSchedule("61 * * * *")).toMatchObject({ kind: "unreadable", why: "invalid value for minute: 61" });
  expect(readSchedule("0 0 * * blursday")).toMatchObject({ kind: "unreadable" });
});
