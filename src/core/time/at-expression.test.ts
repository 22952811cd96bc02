import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RefloatError } from "../../model/refloat-error.ts";
import { parseAt } from "./at-expression.ts";

const now = new Date("2026-11-22T15:12:08Z");
const berlin = "Europe/Berlin";
const instant = (text: string, at = now, zone = berlin): string => {
  const parsed = parseAt(text, at, zone);
  if (parsed.kind !== "instant") throw new Error(`${text} was read as ${parsed.kind}`);
  return parsed.instant;
};
const refusal = (text: string, at = now, zone = berlin): RefloatError => {
  try {
    parseAt(text, at, zone);
  } catch (error) {
    if (error instanceof RefloatError) return error;
    throw error;
  }
  throw new Error(`"${text}" was read`);
};

describe("parseAt", () => {
  it.each([
    ["2 hours ago", "2026-11-22T13:12:08.000Z"],
    ["2h ago", "2026-11-22T13:12:08.000Z"],
    ["1h30m ago", "2026-11-22T13:42:08.000Z"],
    ["half an hour ago", "2026-11-22T14:42:08.000Z"],
    ["2 days ago", "2026-11-20T15:12:08.000Z"],
    ["14:05", "2026-11-22T13:05:00.000Z"],
    ["at 14:05:10", "2026-11-22T13:05:10.000Z"],
    ["before 14:05", "2026-11-22T13:05:00.000Z"],
    ["18:00", "2026-11-21T17:00:00.000Z"],
    ["18:00 UTC", "2026-11-21T18:00:00.000Z"],
    ["14:05 UTC", "2026-11-22T14:05:00.000Z"],
    ["yesterday 14:05", "2026-11-21T13:05:00.000Z"],
    ["2026-11-20 14:05", "2026-11-20T13:05:00.000Z"],
    ["2026-11-20 14:05:10.250", "2026-11-20T13:05:10.250Z"],
    ["2026-07-20 14:05", "2026-07-20T12:05:00.000Z"],
    ["2026-11-20T14:05", "2026-11-20T13:05:00.000Z"],
    ["2026-11-20T14:05:00Z", "2026-11-20T14:05:00.000Z"],
    ["2026-11-20T14:05:00+02:00", "2026-11-20T12:05:00.000Z"],
    ["20 Nov 14:05", "2026-11-20T13:05:00.000Z"],
    ["monday 10:00", "2026-11-16T09:00:00.000Z"],
    ["noon", "2026-11-22T11:00:00.000Z"],
    ["now", "2026-11-22T15:12:08.000Z"],
  ])("freezes %j to %s", (text, expected) => {
    expect(instant(text)).toBe(expected);
  });

  it("reads times without a zone in the zone that it is given", () => {
    expect(instant("14:05", now, "UTC")).toBe("2026-11-22T14:05:00.000Z");
    expect(instant("2026-11-20 14:05", now, "America/New_York")).toBe("2026-11-20T19:05:00.000Z");
    expect(instant("2026-11-20 14:05", now, "Asia/Kolkata")).toBe("2026-11-20T08:35:00.000Z");
  });

  it("reads last and the beginning of an id", () => {
    expect(parseAt("last", now, berlin)).toEqual({ kind: "last", text: "last" });
    expect(parseAt(" 7F3A91C2 ", now, berlin)).toEqual({ kind: "id", text: "7F3A91C2", prefix: "7f3a91c2" });
    expect(parseAt("beef", now, berlin).kind).toBe("id");
    expect(parseAt("a".repeat(64), now, berlin).kind).toBe("id");
    expect(refusal("7f3").code).toBe("time.unclear");
  });

  it.each([
    ["before migration 42", "migration 42"],
    ["before upgrade 2.5.0", "upgrade 2.5.0"],
    [`before "upgrade 2.5.0"`, "upgrade 2.5.0"],
    ["just before 'upgrade 2.5.0'", "upgrade 2.5.0"],
    ["Before  the upgrade", "the upgrade"],
    ["before mark run 42", "run 42"],
    [`before the mark "14:05"`, "14:05"],
    [`before "14:05"`, "14:05"],
    ["before 2.5.0", "2.5.0"],
    ["before 14:05 banana", "14:05 banana"],
  ])("reads %j as what a mark is called", (text, name) => {
    expect(parseAt(text, now, berlin)).toMatchObject({ kind: "before-mark", name });
  });

  it("keeps why a name is no time, for when nothing bears it", () => {
    expect(parseAt("before tomorrow 9:00", now, berlin)).toMatchObject({ notTime: expect.stringContaining("future") });
    expect(parseAt("before migration 42", now, berlin)).toMatchObject({ notTime: "no time can be found in it" });
    expect(parseAt(`before "noon"`, now, berlin)).toMatchObject({ notTime: null });
    expect(instant("just before 14:05")).toBe("2026-11-22T13:05:00.000Z");
  });

  it.each([
    ["before run 42", "42"],
    ["just before run #42", "42"],
    ["before run 6F1C0A2B-77", "6f1c0a2b-77"],
  ])("reads %j as a run", (text, run) => {
    expect(parseAt(text, now, berlin)).toMatchObject({ kind: "before-run", run });
  });

  it("reads last verified", () => {
    expect(parseAt("last verified", now, berlin)).toEqual({ kind: "last-verified", text: "last verified" });
  });

  it.each([
    ["", "empty"],
    ["yesterday", "no time of day"],
    ["2026-11-20", "no time of day"],
    ["last week", "no time of day"],
    ["this morning", "no time of day"],
    ["tomorrow 9:00", "future"],
    ["in 2 hours", "future"],
    ["2026-11-23 10:00", "future"],
    ["14:00-15:00", "more than one moment"],
    ["14:05 banana", `only "14:05"`],
    ["10:00 Europe/Berlin", `only "10:00"`],
    ["05/06/2026 10:00", "day and month"],
    ["5.6.2026 10:00", "day and month"],
    ["2026-13-20 14:05", "no time can be found"],
    ["whenever", "no time can be found"],
    ["latest", `"last"`],
    ["migration 42", "no time can be found"],
    [`mark "upgrade 2.5.0"`, "cannot read the time"],
  ])("refuses %j", (text, why) => {
    const error = refusal(text);
    expect(error.code).toBe("time.unclear");
    expect(error.message).toContain(why);
    expect(error.hint).toBeTruthy();
  });

  it("refuses an hour that was skipped and asks which of a repeated hour is meant", () => {
    expect(refusal("2026-03-29 02:30").message).toContain("clocks went forward");
    const twice = refusal("2026-10-25 02:30");
    expect(twice.message).toContain("happened twice");
    expect(twice.hint).toBe("say which: 2026-10-25T00:30:00.000Z or 2026-10-25T01:30:00.000Z");
    expect(instant("2026-10-25T02:30:00+01:00")).toBe("2026-10-25T01:30:00.000Z");
  });

  it("is not moved by the zone of the machine and is never in the future", () => {
    const minutes = fc.integer({ min: 0, max: 60 * 24 * 400 });
    fc.assert(
      fc.property(minutes, fc.constantFrom("UTC", berlin, "America/New_York", "Australia/Lord_Howe"), (ago, zone) => {
        expect(instant(`${ago} minutes ago`, now, zone)).toBe(new Date(now.getTime() - ago * 60_000).toISOString());
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (hour, minute) => {
        const clock = `${hour}:${String(minute).padStart(2, "0")}`;
        const age = now.getTime() - Date.parse(instant(clock));
        expect(age).toBeGreaterThanOrEqual(0);
        expect(age).toBeLessThan(86_400_000);
      }),
    );
  });
});
