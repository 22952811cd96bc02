/** Which values of two declarations differ. */
import { expect, it } from "vitest";
import type { Json } from "../../model/json.ts";
import { compareValues } from "./compare-values.ts";

const keys = (before: Json, after: Json): readonly string[] => [...compareValues(before, after)].map(({ key }) => key);
const checks = (options: Json): Json => ({ components: { cache: { checks: [{ kind: "redis", options }] } } });

it("tells no difference where only keys stand in another order, in lists as well", () => {
  expect(keys(checks({ expect: "1", redis: "GET a" }), checks({ redis: "GET a", expect: "1" }))).toEqual([]);
  expect(keys({ a: 1, b: [{ c: 1, d: [] }] }, { b: [{ d: [], c: 1 }], a: 1 })).toEqual([]);
});

it("tells what differs by its path, and lists as a whole", () => {
  expect(keys(checks({ redis: "GET a", expect: "1" }), checks({ redis: "GET a", expect: "2" }))).toEqual([
    "components.cache.checks",
  ]);
  expect(keys({ a: [1, 2], b: 1 }, { a: [2, 1], c: null })).toEqual(["a", "b", "c"]);
});
