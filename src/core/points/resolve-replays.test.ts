import { expect, it } from "vitest";
import { shopPoint } from "../../../test/fixtures/shop.ts";
import type { LogSpan } from "../../model/log-span.ts";
import type { PointChoice } from "../../model/plan.ts";
import { positionAfter } from "../logs/log-position.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import type { LogStore } from "../ports/vault-logs.ts";
import { resolveReplays } from "./resolve-replays.ts";

const at = (minute: number): string => new Date(Date.UTC(2026, 10, 22, 14, minute)).toISOString();
const place = (minute: number): string => positionAfter(BigInt(minute) * 1000n);

/** A thousand bytes a minute. */
const span = (from: number, to: number, line = "7000/1"): LogSpan => ({
  service: "shop",
  component: "db",
  driver: "postgres",
  line,
  from: place(from),
  to: place(to),
  fromAt: at(from),
  toAt: at(to),
});

const registry = {
  components: new Map([["postgres", { logs: { startOf: () => ({ line: "7000/1", from: place(2) }) } }]]),
} as unknown as DriverRegistry;

/** The point of 14:01, whose log begins at 14:02. */
const resolve = (spans: readonly LogSpan[], chosen: PointChoice, scope = ["db", "uploads"]) => {
  const logs: Pick<LogStore, "spans" | "positionAt"> = {
    spans: async () => spans,
    positionAt: async ({ at: wanted, line }) => {
      const found = spans.find((one) => one.line === line && one.fromAt <= wanted && wanted <= one.toAt);
      const minute = Math.floor((Date.parse(wanted) - Date.parse(at(0))) / 60_000);
      return found === undefined ? null : { span: found, position: place(minute), at: at(minute) };
    },
  };
  const point = shopPoint({ id: "a1", at: at(1) });
  return resolveReplays({ logs: logs as LogStore, registry }, { point, chosen, scope });
};

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

it("a log that does not reach back to the point, or is of another line, leads nowhere", async () => {
  expect(await resolve([span(5, 30)], instant(12))).toEqual({});
  expect(await resolve([span(0, 30, "7000/2")], instant(12))).toEqual({});
  expect(await resolve([span(0, 30)], instant(2))).toEqual({});
});
