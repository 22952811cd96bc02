import { describe, expect, it } from "vitest";
import { chooseIndexes } from "./choose-indexes.ts";

const choose = (
  needed: readonly string[],
  named: Readonly<Record<string, readonly string[]>>,
  passedOver: readonly string[] = [],
) => {
  const { lock, rewrite } = chooseIndexes(new Set(needed), new Map(Object.entries(named)), new Set(passedOver));
  return { lock: [...lock], rewrite: Object.fromEntries([...rewrite].map(([index, packs]) => [index, [...packs]])) };
};

describe("the indexes that are locked with a point", () => {
  it("are as few as name its packs, and none that names nothing of it", () => {
    const named = { a: ["1", "2"], b: ["1"], c: ["2"], other: ["9"] };
    expect(choose(["1", "2"], named)).toEqual({ lock: ["a"], rewrite: {} });
    expect(choose(["9"], named)).toEqual({ lock: ["other"], rewrite: {} });
  });

  it("are not those that mostly name what the point does not need", () => {
    expect(choose(["1"], { mixed: ["1", "2", "3"] })).toEqual({ lock: [], rewrite: { mixed: ["1"] } });
    expect(choose(["1"], { mixed: ["1", "2", "3"], own: ["1"] })).toEqual({ lock: ["own"], rewrite: {} });
    expect(choose(["1"], { half: ["1", "2"] })).toEqual({ lock: ["half"], rewrite: {} });
  });

  it("are not those that name what a prune wants to take away, unless the point needs it after all", () => {
    const named = { large: ["1", "2", "3", "4"] };
    expect(choose(["1", "2", "3"], named, ["4"])).toEqual({ lock: [], rewrite: { large: ["1", "2", "3"] } });
    expect(choose(["1", "2", "3"], named, ["3"])).toEqual({ lock: ["large"], rewrite: {} });
  });

  it("name each pack once in what is written anew", () => {
    expect(choose(["1", "2"], { a: ["1", "2", "8", "8", "9"], b: ["2", "7", "7"] })).toEqual({
      lock: [],
      rewrite: { a: ["1", "2"] },
    });
  });
});
