import fc from "fast-check";
import { expect, it } from "vitest";
import type { LogSpan } from "../../model/log-span.ts";
import { bytesBefore, comparePositions, positionAfter, positionName } from "./log-position.ts";
import { coveredPieces, joinedSpans, logGaps } from "./log-spans.ts";

const at = (second: number): string => new Date(Date.UTC(2026, 10, 26, 10, 0, second)).toISOString();

const piece = (from: number, to: number, more: Partial<LogSpan> = {}): LogSpan => ({
  service: "shop",
  component: "db",
  driver: "postgres-cluster",
  line: "7000/1",
  from: positionAfter(BigInt(from)),
  to: positionAfter(BigInt(to)),
  fromAt: at(from),
  toAt: at(to),
  ...more,
});

it("counts positions as PostgreSQL writes them, beyond 32 bits too", () => {
  expect(positionAfter(bytesBefore("0/3000060"))).toBe("0/3000060");
  expect(bytesBefore("1/0")).toBe(2n ** 32n);
  expect(positionAfter(bytesBefore("A/FFFFFFFF") + 1n)).toBe("B/0");
  expect(comparePositions("9/0", "10/0")).toBe(-1);
  expect(positionName("A/1")).toBe("0000000a00000001");
});

it("pieces that meet are one span, whatever their order, and what lies apart is a gap", () => {
  const spans = joinedSpans([piece(30, 40), piece(10, 20), piece(0, 12), piece(20, 20, { toAt: at(25) })]);
  expect(spans.map(({ from, to, fromAt, toAt }) => [from, to, fromAt, toAt])).toEqual([
    ["0/0", "0/14", at(0), at(25)],
    ["0/1E", "0/28", at(30), at(40)],
  ]);
  expect(logGaps(spans)).toEqual([{ service: "shop", component: "db", before: spans[0], after: spans[1] }]);
});

it("lines are never joined, and one that goes on where another ended leaves no gap", () => {
  const next = piece(16, 30, { line: "7000/2", fromAt: at(20) });
  const spans = joinedSpans([piece(0, 20), next]);
  expect(spans).toHaveLength(2);
  expect(logGaps(spans)).toEqual([]);
});

it("a gap in a line is one whatever the times on its sides say, and however another line runs beside it", () => {
  const [before, after] = [piece(0, 20, { toAt: at(40) }), piece(30, 50, { fromAt: at(30) })];
  const beside = piece(18, 25, { line: "7000/2" });
  const gap = { service: "shop", component: "db", before, after };
  expect(logGaps(joinedSpans([before, after]))).toEqual([gap]);
  expect(logGaps(joinedSpans([before, beside, after]))).toEqual([gap]);
});

it("what another piece has all of is covered, and taking it away changes no span", () => {
  const drawn = fc.array(
    fc.tuple(fc.nat(30), fc.nat(10)).map(([from, length]) => piece(from, from + length)),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(drawn, (pieces) => {
      const covered = new Set(coveredPieces(pieces));
      expect(joinedSpans(pieces.filter((one) => !covered.has(one)))).toEqual(joinedSpans(pieces));
    }),
  );
});
