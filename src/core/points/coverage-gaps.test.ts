import { describe, expect, it } from "vitest";
import { hexId, shop, shopPoint } from "../../../test/fixtures/shop.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { PointId } from "../../model/identifiers.ts";
import { type CoverageInput, coverageGaps } from "./coverage-gaps.ts";
import type { RootedPoint } from "./root-chain.ts";

const scheduled = { ...shop, schedule: "every 30m" };

const point = (id: string, time: string, parts: { service?: string; schedule?: string } = {}): RecoveryPoint => {
  const made = shopPoint({ id, at: `2026-11-22T${time}.000Z` });
  const declaration = { ...scheduled, schedule: parts.schedule ?? scheduled.schedule };
  return { ...made, manifest: { ...made.manifest, declaration, service: parts.service ?? "shop" } };
};

/** @param after ids of the points that this one names, with their service */
const rooted = (id: string, after: readonly (readonly [string, string])[]): RootedPoint => ({
  point: hexId(id) as PointId,
  service: "shop",
  verdict: {
    status: "proven",
    root: {
      schemaVersion: 1,
      vault: "v",
      service: "shop",
      manifest: hexId("aa"),
      members: [],
      after: after.map(([named, service]) => ({ point: hexId(named) as PointId, service, root: null })),
      root: hexId("bb"),
      seal: hexId("cc"),
    },
  },
});

const gaps = (points: readonly RecoveryPoint[], chain: readonly RootedPoint[], parts: Partial<CoverageInput> = {}) =>
  coverageGaps({
    service: "shop",
    points,
    schedule: "every 30m",
    chain,
    now: "2026-11-22T15:20:00.000Z",
    timeZone: "UTC",
    ...parts,
  });

const clock = (time: string): string => `2026-11-22T${time}.000Z`;

describe("coverageGaps", () => {
  it("tells what was due between two points of which one names the other, and since the last one", () => {
    const points = [point("a1", "12:00:00"), point("a2", "12:30:05"), point("a3", "14:00:02")];
    const chain = [rooted("a1", []), rooted("a2", [["a1", "shop"]]), rooted("a3", [["a2", "shop"]])];
    expect(gaps(points, chain)).toEqual([
      { from: clock("13:00:05"), to: clock("14:00:02"), missed: 2 },
      { from: clock("14:30:02"), to: null, missed: 2 },
    ]);
    expect(gaps(points, chain, { now: clock("14:30:00") })).toHaveLength(1);
  });

  it("forgives what is late, and not what is as late as the next one", () => {
    const chain = [rooted("a1", []), rooted("a2", [["a1", "shop"]])];
    const until = { now: clock("13:10:00") };
    expect(gaps([point("a1", "12:00:00"), point("a2", "12:50:00")], chain, until)).toEqual([]);
    expect(gaps([point("a1", "12:00:00"), point("a2", "12:58:00")], chain, until)).toMatchObject([{ missed: 1 }]);
  });

  it("claims nothing where a point between them has expired, or where nobody can tell", () => {
    const points = [point("a1", "10:00:00"), point("a3", "15:00:00")];
    expect(gaps(points, [rooted("a1", []), rooted("a3", [["a2", "shop"]])])).toEqual([]);
    expect(gaps(points, [rooted("a1", []), rooted("a3", [["b1", "notes"]])])).toEqual([]);
    const unrooted: RootedPoint = { point: hexId("a3") as PointId, service: "shop", verdict: { status: "none" } };
    expect(gaps(points, [rooted("a1", []), unrooted])).toEqual([]);
    expect(gaps(points, [])).toEqual([]);
  });

  it("looks through points of other services, and no further back than it must", () => {
    const points = [
      point("b0", "09:00:00", { service: "notes" }),
      point("a1", "10:00:00"),
      point("b1", "11:00:00", { service: "notes" }),
      point("a3", "15:00:00"),
    ];
    const chain = [
      // It names what has expired, long before.
      rooted("b0", [["a0", "shop"]]),
      rooted("a1", [["b0", "notes"]]),
      rooted("b1", [
        ["a1", "shop"],
        ["b0", "notes"],
      ]),
      rooted("a3", [["b1", "notes"]]),
    ];
    expect(gaps(points, chain)).toMatchObject([{ from: clock("10:30:00"), to: clock("15:00:00"), missed: 9 }]);
  });

  it("goes by what was declared when the earlier point was taken, and by a cron expression too", () => {
    const points = [point("a1", "08:00:04", { schedule: "0 */4 * * *" }), point("a2", "15:00:00")];
    const chain = [rooted("a1", []), rooted("a2", [["a1", "shop"]])];
    expect(gaps(points, chain)).toEqual([]);
    const later = [point("a1", "04:00:04", { schedule: "0 */4 * * *" }), point("a2", "15:00:00")];
    expect(gaps(later, chain)).toEqual([{ from: clock("08:00:00"), to: clock("15:00:00"), missed: 1 }]);
    expect(gaps(later, chain, { schedule: undefined, now: clock("23:00:00") })).toHaveLength(1);
  });
});
