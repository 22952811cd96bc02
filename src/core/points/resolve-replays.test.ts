import { expect, it } from "vitest";
import { shopPoint } from "../../../test/fixtures/shop.ts";
import type { LogSpan } from "../../model/log-span.ts";
import type { PointChoice } from "../../model/plan.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import type { LogStore } from "../ports/vault-logs.ts";
import { resolveReplays } from "./resolve-replays.ts";
import { createMinutesOfLog as span, minuteOfLog as at, placeOfMinute as place } from "../../testing/log-span.ts";

const registry = {
  components: new Map([["postgres", { logs: { startOf: () => ({ line: "7000/1", from: place(2) }) } }]]),
} as unknown as DriverRegistry;

/** The point of 14:01, whose log begins at 14:02. */
const resolveAll = (spans: readonly LogSpan[], chosen: PointChoice, scope = ["db", "uploads"], endAt = at(1)) => {
  const logs: Pick<LogStore, "spans" | "positionAt"> = {
    spans: async () => spans,
    positionAt: async ({ at: wanted, line }) => {
      const found = spans.find((one) => one.line === line && one.fromAt <= wanted && wanted <= one.toAt);
      const minute = Math.floor((Date.parse(wanted) - Date.parse(at(0))) / 60_000);
      return found === undefined ? null : { span: found, position: place(minute), at: at(minute) };
    },
  };
  const made = shopPoint({ id: "a1", at: at(1) });
  const { db, ...others } = made.manifest.components;
  if (db === undefined) throw new Error("the shop has no db");
  const components = { ...others, db: { ...db, window: { beginAt: endAt, endAt } } };
  const point = { ...made, manifest: { ...made.manifest, components } };
  return resolveReplays({ logs: logs as LogStore, registry }, { point, chosen, scope });
};

const resolve = async (...request: Parameters<typeof resolveAll>) => (await resolveAll(...request)).replays;

const instant = (minute: number): PointChoice => ({ kind: "instant", at: at(minute) });

it("an instant becomes a position for each component with a log, and the others stay at the point", async () => {
  expect(await resolve([span(0, 30)], instant(12))).toEqual({
    db: { line: "7000/1", from: place(2), to: place(12), at: at(12) },
  });
  expect(await resolve([span(0, 30)], instant(12), ["uploads"])).toEqual({});
});

it("the last is the end of the log, and a point that was named stays itself", async () => {
  expect(await resolve([span(0, 30)], { kind: "last" })).toMatchObject({ db: { to: place(30), at: at(30) } });
  expect(await resolve([span(0, 30)], { kind: "id" })).toEqual({});
  expect(await resolve([span(0, 30)], { kind: "verified", at: at(40) })).toEqual({});
});

it("what the log has not received yet ends where it does", async () => {
  expect(await resolve([span(0, 30)], instant(31))).toMatchObject({ db: { to: place(30), at: at(30) } });
});

it("a moment in a gap, or behind one, is refused with the moments on both sides", async () => {
  const spans = [span(0, 10), span(20, 30)];
  await expect(resolve(spans, instant(12))).rejects.toMatchObject({
    code: "log.gap",
    message: `${at(12)} lies in a gap of the log of db, from ${at(10)} to ${at(20)}`,
    nextCommand: `refloat plan shop --at ${at(10)}`,
  });
  await expect(resolve(spans, instant(25))).rejects.toMatchObject({ code: "log.gap" });
  expect(await resolve(spans, instant(9))).toMatchObject({ db: { to: place(9) } });
});

it("a moment on a later timeline is refused, though that begins with what the older one had", async () => {
  const spans = [span(0, 10), span(8, 30, "7000/2")];
  await expect(resolve(spans, instant(12))).rejects.toMatchObject({
    code: "log.gap",
    message: expect.stringContaining("it goes on as 7000/2, and the point is of 7000/1") as string,
    nextCommand: `refloat plan shop --at ${at(10)}`,
  });
  expect(await resolve(spans, instant(9))).toMatchObject({ db: { to: place(9) } });
});

it("the last goes to the end of what leads on from the point, and tells of a log that goes further elsewhere", async () => {
  const unreached = [{ component: "db", reachedAt: at(10), toAt: at(30) }];
  const last: PointChoice = { kind: "last" };
  expect(await resolveAll([span(0, 10), span(8, 30, "7000/2")], last)).toMatchObject({
    replays: { db: { to: place(10) } },
    unreached,
  });
  expect(await resolveAll([span(0, 10), span(20, 30)], last)).toMatchObject({ unreached });
  expect(await resolveAll([span(5, 30)], last)).toMatchObject({
    replays: {},
    unreached: [{ component: "db", reachedAt: at(1), toAt: at(30) }],
  });
  expect(await resolveAll([span(0, 30)], last)).toMatchObject({ unreached: [] });
});

it("a log that does not reach back to the point, or is of another line, leads nowhere, and a moment in it is refused", async () => {
  await expect(resolve([span(5, 30)], instant(12))).rejects.toMatchObject({ code: "log.gap" });
  await expect(resolve([span(0, 30, "7000/2")], instant(12))).rejects.toMatchObject({ code: "log.gap" });
  // From before anything was received the point is all there is.
  expect(await resolve([span(5, 30)], instant(3))).toEqual({});
  expect(await resolve([], instant(12))).toEqual({});
});

it("a component that had been read later than the moment is never taken for the moment", async () => {
  // The point of 14:01 has its db as of 14:02, by the log.
  expect(await resolveAll([span(0, 30)], instant(1))).toEqual({ replays: {}, tooLate: ["db"], unreached: [] });
  expect(await resolveAll([span(0, 30)], instant(2))).toEqual({ replays: {}, tooLate: [], unreached: [] });
  expect(await resolveAll([span(0, 30)], instant(1), ["uploads"])).toMatchObject({ tooLate: [] });
  // The log begins after the moment, or has a gap where the base ended.
  expect(await resolveAll([span(2, 30)], instant(1), ["db"], at(2))).toMatchObject({ tooLate: ["db"] });
  expect(await resolveAll([span(0, 1)], instant(1), ["db"], at(2))).toMatchObject({ tooLate: ["db"] });
});

it("a place in the log of one component is gone to exactly, whatever the clock says, and by the others to its time", async () => {
  const target = (minute: number, parts = {}): PointChoice => ({
    kind: "log-target",
    what: "xid 1234",
    isBefore: false,
    component: "db",
    line: "7000/1",
    position: place(minute),
    at: at(12),
    ...parts,
  });
  const spans = [span(0, 30)];
  expect(await resolve(spans, target(11))).toMatchObject({ db: { to: place(11), at: at(12) } });
  expect(await resolve(spans, target(11, { component: "uploads" }))).toMatchObject({ db: { to: place(12) } });
  expect(await resolveAll(spans, target(1))).toMatchObject({ replays: {}, tooLate: ["db"] });
  await expect(resolve(spans, target(31))).rejects.toMatchObject({
    code: "log.gap",
    message: `xid 1234 in the log of db is at ${place(31)}, and it leads on only to ${place(30)} (${at(30)})`,
  });
  await expect(resolve(spans, target(11, { line: "7000/2" }))).rejects.toMatchObject({
    code: "log.gap",
    message: "xid 1234 in the log of db lies on 7000/2, and the point is of 7000/1",
  });
});
