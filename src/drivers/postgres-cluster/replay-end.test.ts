import { describe, expect, test } from "vitest";
import { holdsWholeRecord } from "./replay-end.ts";

const segmentBytes = 16 * 1024 * 1024;
const page = 8192;

/** What a log holds from `end` on: a record of that length, cut after `kept` bytes. */
const logFrom = (end: number, length: number, kept: number): Buffer => {
  const bytes = Buffer.alloc(kept, 0x11);
  const begin = end % page === 0 ? (end % segmentBytes === 0 ? 40 : 24) : 0;
  if (kept >= begin + 4) bytes.writeUInt32LE(length, begin);
  return bytes;
};

describe("after the position at which a server has stopped", () => {
  test.each([
    ["nothing", 64, 100, 0, false],
    ["a record without its end", 64, 100, 99, false],
    ["a whole record", 64, 100, 100, true],
    ["a record whose length is cut off", page - 8, 100, 3, false],
    // It goes over into a page with a header of its own.
    ["a record that ends on the next page, cut before its end", page - 40, 100, 100 + 24 - 1, false],
    ["a record that ends on the next page", page - 40, 100, 100 + 24, true],
    ["a record behind the header of a page, cut", page, 100, 24 + 99, false],
    ["a record behind the header of a page", page, 100, 24 + 100, true],
    ["a record behind the longer header of a segment, cut", segmentBytes, 100, 40 + 99, false],
    ["a record behind the longer header of a segment", segmentBytes, 100, 40 + 100, true],
    ["a record that goes over into another segment, cut", segmentBytes - 16, 100, 16 + 40 + 83, false],
    ["a record that goes over into another segment", segmentBytes - 16, 100, 16 + 40 + 84, true],
    ["a record of several pages, cut", 64, 3 * page, 3 * page + 2 * 24, false],
    ["a record of several pages", 64, 3 * page, 3 * page + 3 * 24, true],
    ["only the header of a page", page, 100, 24, false],
    ["zeros in the middle of the log", 64, 0, 500, true],
  ])("there is %s", (_, end, length, kept, whole) => {
    expect(holdsWholeRecord(logFrom(end, length, kept), end, segmentBytes)).toBe(whole);
  });
});
