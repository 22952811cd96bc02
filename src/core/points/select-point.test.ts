import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexId, outcome, shopPoint, shopPoints } from "../../../test/fixtures/shop.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { AtExpression } from "../time/at-expression.ts";
import { newestFirst, selectPoint } from "./select-point.ts";

const at = (instant: string): AtExpression => ({ kind: "instant", text: instant, instant });
const id = (prefix: string): AtExpression => ({ kind: "id", text: prefix, prefix });
const last: AtExpression = { kind: "last", text: "last" };
const chosen = (points: readonly RecoveryPoint[], expression: AtExpression, scope?: readonly string[]) =>
  selectPoint(points, expression, { service: "shop", ...(scope === undefined ? {} : { scope }) });
const short = (point: RecoveryPoint | null) => point?.id.slice(0, 8) ?? null;
const refusal = (act: () => unknown): RefloatError => {
  try {
    act();
  } catch (error) {
    if (error instanceof RefloatError) return error;
    throw error;
  }
  throw new Error("it was not refused");
};

describe("selectPoint", () => {
  it("takes the last point at or before the instant, in whatever order the points come", () => {
    expect(short(chosen(shopPoints, at("2026-11-22T13:12:08.000Z")).point)).toBe("5d0c88e1");
    expect(short(chosen(shopPoints.toReversed(), at("2026-11-22T13:20:31.000Z")).point)).toBe("7f3a91c2");
    expect(short(chosen(shopPoints, last).point)).toBe("3c71e0aa");
    expect(short(chosen(shopPoints, id("9be2")).point)).toBe("9be2d410");
    expect(short(chosen(shopPoints, id(hexId("9be2d410"))).point)).toBe("9be2d410");
  });

  it("takes a point of a side that an undo left only by its name, or where there is no other", () => {
    const [newest, ...others] = newestFirst(shopPoints);
    if (newest === undefined) throw new Error("the shop has no points");
    const leftBy = { run: 42, uid: "0b6b8a53-5a5e-4d3c-9d0c-2f6b8a535a5e" } as NonNullable<
      typeof newest.manifest.leftBy
    >;
    const left = { ...newest, manifest: { ...newest.manifest, leftBy } };
    const points = [left, ...others];
    expect(short(chosen(points, last).point)).toBe(short(others[0] ?? null));
    expect(short(chosen(points, at(left.manifest.consistentAt)).point)).toBe(short(others[0] ?? null));
    expect(short(chosen(points, id(left.id.slice(0, 6))).point)).toBe(short(left));
    expect(short(chosen([left], last).point)).toBe(short(left));
  });

  it("never takes a later point than asked, nor an earlier one than it must", () => {
    const base = Date.parse("2026-11-22T00:00:00Z");
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(minutes, fc.integer({ min: 0, max: 5_000 }), (taken, asked) => {
        const points = taken.map((minute, index) =>
          shopPoint({ id: `${index.toString(16)}abc`, at: new Date(base + minute * 60_000).toISOString() }),
        );
        const expression = at(new Date(base + asked * 60_000).toISOString());
        const fitting = taken.filter((minute) => minute <= asked);
        const told = (): string => {
          try {
            return chosen(points, expression).point.manifest.consistentAt;
          } catch (error) {
            return error instanceof RefloatError ? error.code : "bug";
          }
        };
        const expected =
          fitting.length === 0 ? "point.unknown" : new Date(base + Math.max(...fitting) * 60_000).toISOString();
        expect(told()).toBe(expected);
      }),
      { numRuns: 50 },
    );
  });

  it("says what exists and what to type when nothing fits", () => {
    const before = refusal(() => chosen(shopPoints, at("2026-11-22T12:00:00.000Z")));
    expect(before).toMatchObject({
      code: "point.unknown",
      hint: "the oldest is 5d0c88e1 (2026-11-22T13:00:04.000Z)",
      nextCommand: "refloat points shop",
    });
    expect(refusal(() => chosen(shopPoints, id("ffff")))).toMatchObject({
      code: "point.unknown",
      hint: "the newest is 3c71e0aa (2026-11-22T15:00:03.000Z)",
    });
    expect(refusal(() => chosen([], last))).toMatchObject({
      code: "point.unknown",
      nextCommand: "refloat capture shop",
    });
    const twins = [
      shopPoint({ id: "abcd1", at: "2026-11-22T13:00:00.000Z" }),
      shopPoint({ id: "abcd2", at: "2026-11-22T14:00:00.000Z" }),
    ];
    const ambiguous = refusal(() => chosen(twins, id("abcd")));
    expect(ambiguous.code).toBe("point.ambiguous");
    expect(ambiguous.message).toContain("abcd2000 (2026-11-22T14:00:00.000Z), abcd1000");
  });

  it("refuses a damaged point unless what is missing is not asked for", () => {
    const damaged = shopPoints.map((point, index) => (index === 0 ? { ...point, missing: ["uploads"] } : point));
    const error = refusal(() => chosen(damaged, last));
    expect(error.code).toBe("point.damaged");
    expect(error.message).toContain("has lost its data of uploads");
    expect(error.hint).toBe("the rest of it is whole: --only db,app,proxy");
    expect(error.nextCommand).toBe("refloat plan shop --at 9be2d410");
    expect(short(chosen(damaged, last, ["db"]).point)).toBe("3c71e0aa");
    expect(refusal(() => chosen(damaged, last, ["db", "uploads"])).code).toBe("point.damaged");
  });
});

describe("closer", () => {
  it("is the latest good point before the first bad one", () => {
    expect(short(chosen(shopPoints, id("5d0c"), ["db"]).closer?.point ?? null)).toBe("7f3a91c2");
    expect(chosen(shopPoints, id("7f3a"), ["db"]).closer).toBeNull();
    expect(chosen(shopPoints, last, ["db"]).closer).toBeNull();
  });

  it("is never one whose goodness nobody asked about, or whose schema is another", () => {
    const first = shopPoint({ id: "1111", at: "2026-11-22T10:00:00.000Z" });
    const later = shopPoint({ id: "2222", at: "2026-11-22T11:00:00.000Z" });
    const unasked = { ...later, manifest: { ...later.manifest, checks: [], invariants: [] } };
    const skipped = { ...later, manifest: { ...later.manifest, checks: [outcome("x", "skipped")], invariants: [] } };
    const reshaped = shopPoint({ id: "2222", at: "2026-11-22T11:00:00.000Z", schema: "bb" });
    const holed = { ...later, missing: ["db"] };
    expect(short(chosen([first, later], id("1111")).closer?.point ?? null)).toBe("22220000");
    for (const point of [unasked, skipped, reshaped, holed]) {
      expect(chosen([first, point], id("1111")).closer).toBeNull();
    }
    const mended = shopPoint({ id: "3333", at: "2026-11-22T12:00:00.000Z" });
    expect(chosen([first, reshaped, mended], id("1111")).closer).toBeNull();
  });
});
