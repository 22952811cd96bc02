import { expect, it } from "vitest";
import { overdueSince } from "./overdue.ts";

const last = "2026-11-22T10:00:00.000Z";
const overdue = (schedule: string | undefined, now: string, lastAt: string | null = last) =>
  overdueSince(schedule, lastAt, now, "Europe/Berlin");

it("counts from the last point", () => {
  expect(overdue("every 1h", "2026-11-22T10:59:00.000Z")).toBeNull();
  expect(overdue("every 1h", "2026-11-22T15:12:00.000Z")).toBe("2026-11-22T11:00:00.000Z");
});

it("reads cron in the zone of the machine", () => {
  expect(overdue("0 12 * * *", "2026-11-22T10:30:00.000Z")).toBeNull();
  expect(overdue("0 12 * * *", "2026-11-22T11:30:00.000Z")).toBe("2026-11-22T11:00:00.000Z");
});

it("says nothing where there is nothing to go by", () => {
  expect(overdue(undefined, "2027-01-01T00:00:00.000Z")).toBeNull();
  expect(overdue("now and then", "2027-01-01T00:00:00.000Z")).toBeNull();
  expect(overdue("every blue moon", "2027-01-01T00:00:00.000Z")).toBeNull();
  expect(overdue("every 1h", "2027-01-01T00:00:00.000Z", null)).toBeNull();
});
