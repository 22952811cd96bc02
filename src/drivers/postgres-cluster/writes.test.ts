/** What two marks of a cluster tell of what was written between them, where its statistics tell nothing. */
import { expect, test } from "vitest";
import { type PositionMark, makePosition, readMark } from "./position.ts";
import { compareMarks } from "./writes.ts";

const then: PositionMark = {
  systemIdentifier: "7",
  timeline: 2,
  lsn: "0/5000000",
  counters: { shop: [0, 0, 0] },
  definitions: { shop: 0 },
  countedSince: { "": "1700000000.5", shop: null },
  nextTransaction: "4294967299",
  firstAfter: null,
  isLogEnd: true,
};
const gapsAt = (changes: Partial<PositionMark>): string => compareMarks(then, { ...then, ...changes }).gaps.join();

test("nothing was written when nothing has moved", () => {
  expect(compareMarks(then, then)).toMatchObject({ units: [], gaps: [], rows: 0 });
});

test.each([
  ["of the whole server, as a crash does", { countedSince: { "": "1700000001.5", shop: null } }],
  ["of one database", { countedSince: { "": "1700000000.5", shop: "1700000001.5" } }],
])("counts that begin at zero and were reset to zero are a gap: %s", (_, changes) => {
  expect(compareMarks(then, { ...then, ...changes }).rows).toBeNull();
  expect(gapsAt(changes)).toContain("rows cannot be counted");
});

test("a transaction of which no rows are counted is a gap", () => {
  expect(gapsAt({ nextTransaction: "4294967300" })).toContain("of which no rows are counted");
  const counted = gapsAt({ nextTransaction: "4294967300", counters: { shop: [1, 0, 0] } });
  expect(counted).not.toContain("of which no rows are counted");
});

test("a mark that knows of no transactions proves nothing", () => {
  const { countedSince: _, nextTransaction: __, isLogEnd: ___, ...older } = then;
  const mark = readMark(makePosition(new Date(), older as PositionMark));
  expect(compareMarks(mark, then).gaps.join()).toContain("is not known");
});

test("of a side that crashed nobody says how much log it wrote", () => {
  expect(gapsAt({ counters: null, isLogEnd: false })).toContain("how much log was written is not known");
});
