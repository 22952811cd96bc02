import { expect, it } from "vitest";
import { hexId, shopPoint } from "../../../test/fixtures/shop.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import type { StoredLogPiece } from "../ports/vault-logs.ts";
import { positionAfter } from "../logs/log-position.ts";
import { type LogLifetimesInput, decideLogs, logFates, windowBase } from "./log-lifetimes.ts";

const day = (days: number): string => new Date(Date.UTC(2026, 10, 1 + days)).toISOString();

/** One piece of the log of each day, ten bytes a day. */
const piece = (days: number, line = "7000/1"): StoredLogPiece => ({
  service: "shop",
  component: "db",
  driver: "postgres-cluster",
  line,
  from: positionAfter(BigInt(days * 10)),
  to: positionAfter(BigInt(days * 10 + 10)),
  fromAt: day(days),
  toAt: day(days + 1),
  id: hexId(`c${days}`) as SnapshotId,
  bytes: 10,
  joined: 1,
  storedAt: day(days + 1),
});

const pointAt = (days: number) => {
  const made = shopPoint({ id: `a${days}`, at: day(days) });
  const components = Object.fromEntries(
    Object.entries(made.manifest.components).map(([name, captured]) => [
      name,
      { ...captured, window: { ...captured.window, beginAt: day(days), endAt: day(days) } },
    ]),
  );
  return { ...made, manifest: { ...made.manifest, consistentAt: day(days), components } };
};

const week = [0, 1, 2, 3, 4, 5, 6].map((days) => piece(days));

const stays = (parts: Partial<LogLifetimesInput>): readonly string[] =>
  decideLogs({
    pieces: week,
    kept: [],
    beginOf: ({ manifest }) => ({
      line: "7000/1",
      from: positionAfter(BigInt(((Date.parse(manifest.consistentAt) - Date.parse(day(0))) / 86_400_000) * 10 + 5)),
    }),
    windowMs: () => null,
    all: null,
    now: day(7),
    ...parts,
  })
    .filter(({ verdict }) => verdict === "keep")
    .map(({ piece: { fromAt } }) => fromAt);

it("what leads on from a point that is kept stays, from the piece that its begin lies in", () => {
  expect(stays({ kept: [pointAt(3), pointAt(5)] })).toEqual([3, 4, 5, 6].map(day));
});

it("all of it stays while nobody knows better: without a point, without a policy, in an incident", () => {
  expect(stays({})).toHaveLength(7);
  expect(stays({ kept: [pointAt(5)], all: { kind: "incident", since: day(4) } })).toHaveLength(7);
});

it("a window needs the point from before it and what follows it, and nothing older however long points stay", () => {
  const kept = [pointAt(0), pointAt(2), pointAt(4), pointAt(6)];
  expect(stays({ kept, windowMs: () => 2 * 86_400_000 })).toEqual([4, 5, 6].map(day));
  expect(windowBase(kept, "db", 2 * 86_400_000, day(7))?.id).toBe(pointAt(4).id);
  expect(windowBase(kept, "db", 90 * 86_400_000, day(7))?.id).toBe(pointAt(0).id);
  expect(windowBase(kept, "no-such", 90 * 86_400_000, day(7))).toBeUndefined();
});

it("a window begins with a point whose own component is from before it, not with one that was only begun by then", () => {
  const kept = [pointAt(2), pointAt(4)];
  const [older, newer] = kept;
  const db = newer?.manifest.components["db"];
  if (older === undefined || newer === undefined || db === undefined) throw new Error("no point");
  const late = { ...db, window: { beginAt: day(6), endAt: day(6) } };
  const slow = { ...newer, manifest: { ...newer.manifest, components: { ...newer.manifest.components, db: late } } };
  expect(windowBase([older, slow], "db", 2 * 86_400_000, day(7))?.id).toBe(older.id);
  expect(windowBase([older, slow], "db", 86_400_000, day(7))?.id).toBe(slow.id);
});

it("what a run that is not finished goes on by stays, whatever the window says", () => {
  const kept = [pointAt(0), pointAt(4)];
  const run = { service: "shop", component: "db", line: "7000/1", run: 42 };
  const needed = [{ ...run, from: positionAfter(5n), to: positionAfter(20n) }];
  expect(stays({ kept, windowMs: () => 2 * 86_400_000, needed })).toEqual([0, 1, 4, 5, 6].map(day));
});

it("another line is judged by time: positions of two lines say nothing of each other", () => {
  const pieces = [piece(1, "7000/2"), piece(6, "7000/2")];
  expect(stays({ pieces, kept: [pointAt(3)] })).toEqual([day(6)]);
});

it("is told in stretches, each with the oldest point that it leads on from", () => {
  const decisions = decideLogs({
    pieces: week,
    kept: [pointAt(3)],
    beginOf: () => null,
    windowMs: () => null,
    all: null,
    now: day(7),
  });
  expect(logFates(decisions).map(({ fromAt, toAt, verdict, pieces }) => [fromAt, toAt, verdict, pieces])).toEqual([
    [day(0), day(2), "expire", 2],
    [day(2), day(7), "keep", 5],
  ]);
});
