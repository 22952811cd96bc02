import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PackFacts, batchesWithin, oldestFirst } from "./pack-choice.ts";

const packs = fc
  .uniqueArray(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 60 })
  .chain((ids) =>
    fc
      .array(fc.integer({ min: 1, max: 20_000_000 }), { minLength: ids.length, maxLength: ids.length })
      .map(
        (sizes) =>
          new Map<string, PackFacts>(ids.map((id, at) => [id.toString(16), { sizeBytes: sizes[at] ?? 1, blobs: 9 }])),
      ),
  );

describe("the choice of packs", () => {
  it("comes to every pack in turn, however small the sample, and to none twice before", () => {
    fc.assert(
      fc.property(packs, fc.double({ min: 0.001, max: 1, noNaN: true }), (all, share) => {
        const reads = new Map<string, number>();
        const total = [...all.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        for (let run = 1; reads.size < all.size; run += 1) {
          const chosen = [...batchesWithin(oldestFirst(all, reads, 1e9), all, { share })].flatMap((batch) => [
            ...batch,
          ]);
          const fresh = chosen.filter((id) => !reads.has(id));
          // As long as some were never read, no other is chosen before them.
          expect(chosen.slice(0, fresh.length)).toEqual(fresh);
          expect(fresh.length).toBeGreaterThan(0);
          const bytes = chosen.slice(0, -1).reduce((sum, id) => sum + (all.get(id)?.sizeBytes ?? 0), 0);
          expect(bytes).toBeLessThan(Math.max(share * total, 1));
          for (const id of chosen) reads.set(id, run);
        }
      }),
    );
  });

  it("does not believe in reads of the future", () => {
    const all = new Map(["a", "b"].map((id) => [id, { sizeBytes: 1, blobs: 1 }] as const));
    expect(
      oldestFirst(
        all,
        new Map([
          ["a", 2000],
          ["b", 5],
        ]),
        1000,
      ),
    ).toEqual(["a", "b"]);
    expect(
      oldestFirst(
        all,
        new Map([
          ["a", 7],
          ["b", 5],
        ]),
        1000,
      ),
    ).toEqual(["b", "a"]);
  });
});
