import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ChunkParcels, createChunkParcels } from "./chunk-parcels.ts";

describe("parcels of chunks", () => {
  it("belong to one thread until they are freed, and are refused when all are taken", () => {
    const here = createChunkParcels();
    const there = new ChunkParcels(here.handle);
    const chunks = here.handle.memory.map((_, n) => randomBytes(1000 + n));
    const taken = chunks.map((chunk, n) => (n % 2 === 0 ? here : there).fill(chunk));
    expect(new Set(taken).size).toBe(chunks.length);
    expect(here.fill(randomBytes(1))).toBeUndefined();
    for (const [n, chunk] of chunks.entries())
      expect(Buffer.from(there.open(taken[n] ?? -1, chunk.length)).equals(chunk)).toBe(true);
    there.free(taken[1] ?? -1);
    expect(here.fill(randomBytes(1))).toBe(taken[1]);
  });
});
