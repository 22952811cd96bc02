import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexId, outcome, shop, shopPoint } from "../../../test/fixtures/shop.ts";
import type { Keep } from "../../model/declaration.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { decideRetention, type RetentionInput } from "./decide-retention.ts";
import { keepPlaces } from "./keep-buckets.ts";

const now = "2026-11-22T16:12:00.000Z";

const point = (
  id: string,
  at: string,
  parts: { lock?: string; tags?: readonly string[]; failed?: boolean; missing?: readonly string[] } = {},
): RecoveryPoint => {
  const made = shopPoint({ id, at });
  return {
    ...made,
    missing: parts.missing ?? [],
    manifest: {
      ...made.manifest,
      finishedAt: at,
      consistentAt: at,
      tags: [...(parts.tags ?? [])],
      checks: parts.failed === true ? [outcome("products", "failed")] : [],
      invariants: [],
      declaration: parts.lock === undefined ? shop : { ...shop, lock: { for: parts.lock } },
    },
  };
};

const daysAgo = (days: number): string => new Date(Date.parse(now) - days * 86_400_000).toISOString();

/** One each day, newest first: `a0` today, `a1` yesterday. */
const daily = (count: number, parts: Parameters<typeof point>[2] = {}): RecoveryPoint[] =>
  Array.from({ length: count }, (_none, day) => point(`a${day.toString(16)}`, daysAgo(day), parts));

const decide = (points: readonly RecoveryPoint[], keep: Keep | null, parts: Partial<RetentionInput> = {}) =>
  decideRetention({
    points,
    keep,
    holds: [],
    lockedUntil: new Map(),
    needed: [],
    incidentSince: null,
    now,
    timeZone: "UTC",
    trustClock: false,
    ...parts,
  });

const expired = (decision: ReturnType<typeof decide>): readonly string[] =>
  decision.points.filter(({ verdict }) => verdict === "expire").map(({ point: { id } }) => id.replace(/0+$/, ""));

const reasonsOf = (decision: ReturnType<typeof decide>, id: string) =>
  decision.points.find(({ point: { id: found } }) => found.startsWith(id))?.reasons;

describe("places", () => {
  const places = (instants: readonly string[], keep: Keep, timeZone = "UTC") =>
    keepPlaces(instants, keep, timeZone).map((found) => found.map(({ bucket, place }) => `${bucket} ${place}`));

  it("are taken by the newest of each hour, day, week, month and year", () => {
    const instants = [
      "2027-01-01T10:50",
      "2027-01-01T10:10",
      "2026-12-31T23:59",
      "2026-12-30T12:00",
      "2025-06-01T00:00",
    ];
    expect(
      places(
        instants.map((text) => `${text}:00Z`),
        { hourly: 2, daily: 2, weekly: 9, yearly: 2 },
      ),
    ).toEqual([
      ["hourly 1", "daily 1", "weekly 1", "yearly 1"],
      [],
      // The last days of 2026 and the first of 2027 are one ISO week.
      ["hourly 2", "daily 2", "yearly 2"],
      [],
      ["weekly 2"],
    ]);
  });

  it("follow the clocks of the zone: midnight is there, and the hour that autumn repeats is two", () => {
    const evening = ["2026-11-22T23:30:00Z", "2026-11-22T22:30:00Z"];
    expect(places(evening, { daily: 5 }, "Europe/Paris")).toEqual([["daily 1"], ["daily 2"]]);
    expect(places([...evening, "2026-11-22T22:00:00Z"], { daily: 1 }, "UTC")).toEqual([["daily 1"], [], []]);
    const repeated = ["2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z", "2026-10-24T23:30:00Z"];
    expect(places(repeated, { hourly: 9 }, "Europe/Paris")).toEqual([["hourly 1"], ["hourly 2"], ["hourly 3"]]);
  });
});

describe("retention", () => {
  it("lets nothing expire where nothing is declared, and says so", () => {
    const decision = decide(daily(3), null);
    expect(expired(decision)).toEqual([]);
    expect(reasonsOf(decision, "a1")).toEqual([{ kind: "no-policy" }]);
  });

  it("says of each point why it stays", () => {
    const decision = decide(daily(5), { daily: 3 });
    expect(expired(decision)).toEqual(["a3", "a4"]);
    expect(reasonsOf(decision, "a0")).toEqual([
      { kind: "newest" },
      { kind: "last-good" },
      { kind: "bucket", bucket: "daily", place: 1, of: 3 },
    ]);
    expect(reasonsOf(decision, "a2")).toEqual([{ kind: "bucket", bucket: "daily", place: 3, of: 3 }]);
    expect(reasonsOf(decision, "a3")).toEqual([]);
  });

  it("never touches what is locked, by the declaration of then or by the store, until the lock ends", () => {
    const points = daily(12, { lock: "7d" });
    expect(expired(decide(points, { last: 1 }))).toEqual(["a7", "a8", "a9", "aa", "ab"]);
    const until = "2026-11-29T00:00:00.000Z";
    const decision = decide(points, { last: 1 }, { lockedUntil: new Map([[hexId("a9"), until]]) });
    expect(expired(decision)).toEqual(["a7", "a8", "aa", "ab"]);
    expect(reasonsOf(decision, "a9")).toEqual([{ kind: "locked", until }]);
  });

  it("keeps everything while an incident is open, and says so", () => {
    const incidentSince = daysAgo(2);
    const decision = decide(daily(6), { last: 1 }, { incidentSince });
    expect(expired(decision)).toEqual([]);
    expect(reasonsOf(decision, "a5")).toEqual([{ kind: "incident", since: incidentSince }]);
    expect(reasonsOf(decision, "a1")).toEqual([{ kind: "incident", since: incidentSince }]);
    expect(expired(decide(daily(6), { last: 1 }))).toEqual(["a1", "a2", "a3", "a4", "a5"]);
  });

  it("keeps what is held, tagged, needed by a run, and the last good point however many bad ones follow", () => {
    const points = [
      ...daily(4, { failed: true }),
      ...daily(10).slice(4),
      point("b1", daysAgo(20), { tags: ["release"] }),
      point("b2", daysAgo(21), { tags: ["other"] }),
    ];
    const decision = decide(
      points,
      { last: 1, tags: ["release"] },
      {
        holds: [{ point: hexId("a6"), reason: "incident 3" }],
        needed: [{ point: hexId("a7"), run: 42 }],
      },
    );
    expect(expired(decision)).toEqual(["a1", "a2", "a3", "a5", "a8", "a9", "b2"]);
    expect(reasonsOf(decision, "a4")).toEqual([{ kind: "last-good" }]);
    expect(reasonsOf(decision, "a6")).toEqual([{ kind: "held", reason: "incident 3" }]);
    expect(reasonsOf(decision, "a7")).toEqual([{ kind: "needed", run: 42 }]);
    expect(reasonsOf(decision, "b1")).toEqual([{ kind: "tagged", tag: "release" }]);
  });

  it("gives no place of a whole point to a damaged one", () => {
    const points = [point("d0", now, { missing: ["db"] }), ...daily(4).slice(1)];
    const decision = decide(points, { daily: 2 });
    expect(expired(decision)).toEqual(["a3"]);
    expect(reasonsOf(decision, "a1")?.[0]).toEqual({ kind: "last-good" });
    expect(reasonsOf(decision, "a2")).toEqual([{ kind: "bucket", bucket: "daily", place: 2, of: 2 }]);
  });

  it("does nothing while a point lies in the future, unless a person has looked at the clock", () => {
    const points = [point("f0", daysAgo(-3000)), ...daily(5)];
    const decision = decide(points, { last: 2 });
    expect(decision.doubt).toEqual({ kind: "future", at: daysAgo(-3000) });
    expect(expired(decision)).toEqual([]);
    const trusting = decide(points, { last: 2 }, { trustClock: true });
    expect(trusting.doubt).toBeNull();
    // It takes no place, and stays.
    expect(expired(trusting)).toEqual(["a2", "a3", "a4"]);
    expect(reasonsOf(trusting, "f0")).toEqual([{ kind: "future" }]);
  });

  it("does nothing when the clock may have jumped past a lock, or past all that there was", () => {
    const locked = daily(12, { lock: "7d" });
    const jumped = new Date(Date.parse(now) + 3000 * 86_400_000).toISOString();
    expect(decide(locked, { last: 1 }, { now: jumped }).doubt).toEqual({ kind: "gap", from: now, to: jumped });
    const after = [point("e1", jumped), point("e2", new Date(Date.parse(jumped) - 60_000).toISOString())];
    const decision = decide([...after, ...daily(5)], { last: 2 }, { now: jumped });
    expect(decision.doubt).toMatchObject({ kind: "gap", from: now });
    expect(expired(decision)).toEqual([]);
    expect(expired(decide([...after, ...daily(5)], { last: 2 }, { now: jumped, trustClock: true }))).toHaveLength(5);
    // A service that rests for months loses nothing by it, and nothing is doubted.
    expect(decide(daily(5), { daily: 3 }, { now: jumped })).toMatchObject({ doubt: null });
  });

  it("in any history keeps locked, held, newest and last good points, and never more goes when more is kept", () => {
    const arbitraryPoint = fc.record({
      minutes: fc.integer({ min: -200, max: 200_000 }),
      lock: fc.option(fc.constantFrom("1d", "30d", "400d"), { nil: undefined }),
      failed: fc.boolean(),
      damaged: fc.boolean(),
    });
    const count = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
    const keeps = fc
      .record({ last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count })
      .map((keep) => Object.fromEntries(Object.entries(keep).filter(([, value]) => value !== undefined)) as Keep);
    fc.assert(
      fc.property(fc.array(arbitraryPoint, { maxLength: 30 }), keeps, fc.boolean(), (drafts, keep, trustClock) => {
        const points = drafts.map(({ minutes, lock, failed, damaged }, index) =>
          point(`c${index.toString(16).padStart(3, "0")}`, new Date(Date.parse(now) - minutes * 60_000).toISOString(), {
            failed,
            missing: damaged ? ["db"] : [],
            ...(lock === undefined ? {} : { lock }),
          }),
        );
        const held = points[0]?.id ?? "";
        const parts = { trustClock, holds: [{ point: held, reason: "why" }] };
        const decision = decide(points, keep, parts);
        const gone = decision.points.filter(({ verdict }) => verdict === "expire").map(({ point: { id } }) => id);
        expect(gone).not.toContain(held);
        const whole = decision.points.filter(({ point: { missing } }) => missing.length === 0);
        const good = whole.find(
          ({ point: { manifest } }) =>
            manifest.checks.length === 0 && Date.parse(manifest.consistentAt) <= Date.parse(now) + 600_000,
        );
        expect(gone).not.toContain(good?.point.id);
        for (const { point: gonePoint } of decision.points.filter(({ verdict }) => verdict === "expire")) {
          const { lock } = gonePoint.manifest.declaration;
          if (lock === undefined) continue;
          const ageDays = (Date.parse(now) - Date.parse(gonePoint.manifest.finishedAt)) / 86_400_000;
          expect(ageDays).toBeGreaterThanOrEqual(Number.parseInt(lock.for, 10));
        }
        const more = decide(points, { ...keep, last: (keep.last ?? 0) + 3 }, { ...parts, trustClock: true });
        const less = decide(points, keep, { ...parts, trustClock: true });
        const goneThen = expired(less);
        expect(expired(more).filter((id) => !goneThen.includes(id))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
