import { describe, expect, it } from "vitest";
import { hexId, shopPoint } from "../../../test/fixtures/shop.ts";
import type { Composition, RecoveryPoint } from "../../model/manifest.ts";
import { decideRetention } from "../retention/decide-retention.ts";
import { closestSet } from "./closest-set.ts";
import { asOf, composePoints } from "./compose-points.ts";
import { composedBetter, memberConflicts } from "./composition-words.ts";
import { selectPoint } from "./select-point.ts";

const hour = (hours: number): string => new Date(Date.UTC(2026, 10, 22, hours)).toISOString();

/** A point of the shop at a full hour; of some components alone where they are named. */
const point = (
  id: string,
  hours: number,
  only?: readonly string[],
  more: Partial<RecoveryPoint> = {},
): RecoveryPoint => {
  const made = shopPoint({ id, at: hour(hours) });
  const at = hour(hours);
  const components = Object.entries(made.manifest.components)
    .filter(([name]) => only?.includes(name) !== false)
    .map(([name, member]) => [name, { ...member, window: { beginAt: at, endAt: at } }] as const);
  return {
    ...made,
    ...more,
    manifest: {
      ...made.manifest,
      consistentAt: at,
      finishedAt: at,
      components: Object.fromEntries(components),
      ...(only === undefined ? {} : { only: [...only] }),
      ...more.manifest,
    },
  };
};

const composedOf = (points: readonly RecoveryPoint[], id: string): RecoveryPoint =>
  composePoints(points).find((one) => one.id.startsWith(id)) ?? expect.fail(`no point ${id}`);

const compositionOf = ({ composed }: RecoveryPoint): Composition => {
  if (composed === undefined) throw new Error("it is whole by itself");
  return composed;
};

describe("points of components that were captured alone", () => {
  const points = [point("a1", 10), point("b2", 12, ["uploads"]), point("c3", 13, ["db"]), point("d4", 14, ["db"])];

  it("take the newest part of each other component that was there by then, with its age", () => {
    const { manifest, composed } = composedOf(points, "d4");
    expect(Object.keys(manifest.components).toSorted()).toEqual(
      Object.keys(points[0]?.manifest.components ?? {}).toSorted(),
    );
    const members = Object.fromEntries((composed?.members ?? []).map((one) => [one.component, one]));
    expect(members["db"]).toMatchObject({ point: hexId("d4"), skewMs: 0 });
    expect(members["uploads"]).toMatchObject({ point: hexId("b2"), at: hour(12), skewMs: 2 * 3_600_000 });
    expect(members["app"]).toMatchObject({ point: hexId("a1"), skewMs: 4 * 3_600_000 });
    expect(manifest.consistency).toEqual({ mode: "composed", windowMs: 4 * 3_600_000, proven: false });
    expect(asOf(composedOf(points, "d4"))).toBe(hour(10));
  });

  it("know nothing of what came later, and are chosen by their own moment", () => {
    expect(composedOf(points, "b2").composed?.members.find(({ component }) => component === "db")?.point).toBe(
      hexId("a1"),
    );
    const at = { kind: "instant", instant: hour(13.5), text: "" } as const;
    expect(selectPoint(composePoints(points), at, { service: "shop" }).point.id).toBe(hexId("c3"));
  });

  it("pass over a part whose data is lost, and name what was never captured", () => {
    const damaged = [point("a1", 10), point("b2", 12, ["uploads"], { missing: ["uploads"] }), point("c3", 13, ["db"])];
    const { composed, missing } = composedOf(damaged, "c3");
    expect(composed?.members.find(({ component }) => component === "uploads")?.point).toBe(hexId("a1"));
    expect(missing).toEqual([]);
    const alone = composedOf([point("c3", 13, ["db"])], "c3");
    expect(alone.composed).toMatchObject({
      members: [{ component: "db" }],
      absent: expect.arrayContaining(["uploads"]) as string[],
    });
    expect(alone.manifest.consistency.mode).not.toBe("composed");
    expect(composedBetter("shop", compositionOf(alone))).toMatch(
      /^nothing was ever captured of .*uploads.*: refloat capture shop --only /,
    );
  });

  it("leave whole points as they are, and those that an undo left alone", () => {
    expect(composePoints([point("a1", 10)])[0]?.composed).toBeUndefined();
    const left = point("e5", 12, undefined, {});
    const undone = { ...left, manifest: { ...left.manifest, leftBy: { run: 3, uid: "u" } } } as RecoveryPoint;
    const members = composedOf([point("a1", 10), undone, point("c3", 13, ["db"])], "c3").composed?.members;
    expect(members?.find(({ component }) => component === "uploads")?.point).toBe(hexId("a1"));
  });

  it("keep the points that their parts come from, as long as they stay themselves", () => {
    const facts = {
      holds: [],
      lockedUntil: new Map(),
      needed: [],
      incidentSince: null,
      now: hour(15),
      timeZone: "UTC",
      trustClock: true,
    };
    const decided = decideRetention({ ...facts, points, keep: { last: 1 } });
    const verdicts = Object.fromEntries(decided.points.map(({ point: { id }, verdict }) => [id.slice(0, 2), verdict]));
    expect(verdicts).toEqual({ d4: "keep", c3: "expire", b2: "keep", a1: "keep" });
    const reasons = decided.points.find(({ point: { id } }) => id === hexId("b2"))?.reasons;
    expect(reasons).toEqual([{ kind: "member", point: hexId("d4"), components: ["uploads"] }]);
  });

  it("tell which parts do not last, and what would make the set better", () => {
    const locked = (one: RecoveryPoint, lock?: string): RecoveryPoint => {
      const { lock: _none, ...declaration } = one.manifest.declaration;
      return {
        ...one,
        manifest: {
          ...one.manifest,
          declaration: lock === undefined ? declaration : { ...declaration, lock: { for: lock } },
        },
      };
    };
    const all = [
      locked(point("a1", 10)),
      locked(point("b2", 12, ["uploads"]), "1h"),
      locked(point("d4", 14, ["db"]), "7d"),
    ];
    const composed = composedOf(all, "d4");
    const held = [{ point: hexId("b2"), reason: "audit" }];
    const facts = { keep: { last: 1 }, holds: held, incidentSince: null, now: hour(15), timeZone: "UTC" };
    const conflicts = memberConflicts(composed, compositionOf(composed), all, facts);
    expect(conflicts.join("\n")).toMatch(/app.* \(a1\w*\) is not locked, and others are until 2026-11-29/);
    expect(conflicts.join("\n")).toMatch(/uploads \(b2\w*\) is not locked/);
    expect(conflicts.join("\n")).toMatch(/uploads \(b2\w*\) is held: audit/);
    const old = composedOf(all, "b2");
    expect(memberConflicts(old, compositionOf(old), all, { ...facts, holds: [] }).join("\n")).not.toContain("expire");
    expect(composedBetter("shop", compositionOf(composed))).toMatch(
      /^\w+ is 4h older than the newest of 3 points: take all at once \(refloat capture shop\)/,
    );
  });

  it("have another set that is closer together and newer than the oldest part, if there is one", () => {
    const many = [
      point("a1", 8),
      point("b2", 11, ["db"]),
      point("c3", 12, ["uploads"]),
      point("d4", 13, ["db"]),
      point("e5", 16, ["db"]),
    ];
    const all = composePoints(many);
    const closest = (id: string, scope: readonly string[]) => closestSet(composedOf(many, id), all, scope);
    // As close as the one of 12 with the database of 11, and newer.
    expect(closest("e5", ["db", "uploads"])).toEqual({
      point: hexId("d4"),
      at: hour(13),
      skewMs: 3_600_000,
      earlier: [{ component: "db", ms: 3 * 3_600_000 }],
    });
    expect(closest("d4", ["db", "uploads"])).toBeNull();
    expect(closest("e5", ["db"])).toBeNull();
    const lost = all.map((one) => (one.id === hexId("d4") ? { ...one, missing: ["db"] } : one));
    expect(closestSet(composedOf(many, "e5"), lost, ["db", "uploads"])).toMatchObject({ point: hexId("c3") });
  });
});
