import { expect, it } from "vitest";
import { LogMoments } from "./log-moments.ts";
import { positionAfter } from "./log-position.ts";

const at = (ms: number): string => new Date(ms).toISOString();

it("of what ends before the piece begins nothing is told: it was a moment of the piece before", () => {
  const moments = new LogMoments(100n, 1_000);
  moments.add({ end: 150n, atMs: 2_000 });
  expect(moments.take(200n).map(({ position }) => position)).toEqual([positionAfter(100n), positionAfter(150n)]);
  moments.add({ end: 199n, atMs: 3_000 });
  moments.add({ end: 200n, atMs: 4_000 });
  moments.add({ end: 250n, atMs: 5_000 });
  expect(moments.take(300n)).toEqual([
    { position: positionAfter(200n), at: at(2_000) },
    { position: positionAfter(200n), at: at(4_000) },
    { position: positionAfter(250n), at: at(5_000) },
  ]);
});
