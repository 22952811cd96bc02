import { describe, expect, it } from "vitest";
import { type LockAnswer, safestIndexes } from "./safest-indexes.ts";

const until = (day: number, mode: "governance" | "compliance" = "governance"): LockAnswer => ({
  until: new Date(Date.UTC(2026, 0, day)),
  mode,
});

const chosen = (
  packs: readonly string[],
  naming: Readonly<Record<string, readonly string[]>>,
  answers: Readonly<Record<string, LockAnswer>>,
) => {
  const { indexes, unnamed } = safestIndexes(packs, new Map(Object.entries(naming)), new Map(Object.entries(answers)));
  return { indexes: [...indexes].sort(), unnamed };
};

describe("the indexes that a point rests on", () => {
  it("are those that name its packs, whatever others there are", () => {
    const naming = { mine: ["a"], shared: ["a", "b"], foreign: ["c"] };
    expect(chosen(["mine"], naming, { a: until(3), b: "none", c: "none" })).toEqual({ indexes: ["a"], unnamed: [] });
  });

  it("are the best locked ones where several name a pack", () => {
    const answers = {
      gone: "missing",
      free: "none",
      short: until(2),
      long: until(9),
      strict: until(9, "compliance"),
    } as const;
    const best = (...indexes: readonly string[]) => chosen(["pack"], { pack: indexes }, answers).indexes;
    expect(best("gone", "free")).toEqual(["free"]);
    expect(best("free", "short", "gone")).toEqual(["short"]);
    expect(best("short", "long", "free")).toEqual(["long"]);
    expect(best("long", "strict", "short")).toEqual(["strict"]);
    expect(best("gone")).toEqual(["gone"]);
    // Of equally good ones the first, so that packs which share them share the choice.
    expect(chosen(["p", "q"], { p: ["a", "b"], q: ["a", "b"] }, { a: until(4), b: until(4) }).indexes).toEqual(["a"]);
  });

  it("are not there for a pack that none names", () => {
    expect(chosen(["lost", "mine"], { mine: ["a"] }, { a: until(1) })).toEqual({ indexes: ["a"], unnamed: ["lost"] });
  });
});
