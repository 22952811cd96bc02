import fc from "fast-check";
import { expect, test } from "vitest";
import { durationTextSchema } from "../../model/declaration.ts";
import { formatDuration, parseDuration } from "./duration.ts";

test.each([
  ["250ms", 250],
  ["0.5s", 500],
  ["30s", 30_000],
  ["15m", 900_000],
  ["1h30m", 5_400_000],
  ["7d", 604_800_000],
  ["2w", 1_209_600_000],
  ["1m07s", 67_000],
])("%s is %i ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "15", "m", "15 m", "15min", "1h 30m", "-5m", "1.m", ".5s", "5m!", "!5m", "5ms5", "٥m"])(
  "%j is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test.each([
  [0, "0s"],
  [0.4, "0s"],
  [40, "40ms"],
  [99.4, "99ms"],
  [99.6, "0.1s"],
  [900, "0.9s"],
  [1_000, "1s"],
  [17_400, "17.4s"],
  [52_000, "52s"],
  [59_949, "59.9s"],
  [59_950, "1m"],
  [60_000, "1m"],
  [67_000, "1m07s"],
  [900_000, "15m"],
  [1_294_000, "21m34s"],
  [3_599_600, "1h"],
  [3_900_000, "1h05m"],
  [6_699_000, "1h51m39s"],
  [3_601_000, "1h00m01s"],
  [14_400_000, "4h"],
  [86_399_600, "1d"],
  [518_400_000, "6d"],
  [529_200_000, "6d03h"],
  [3_542_400_000, "41d"],
  [-5, "0s"],
  [Number.POSITIVE_INFINITY, "?"],
])("%d ms reads %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("what is written for people can be read again and is off by no more than what was rounded away", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 * 86_400_000 }), (ms) => {
      const again = parseDuration(formatDuration(ms));
      const grainMs = ms < 99.5 ? 1 : ms < 59_950 ? 100 : ms < 86_399_500 ? 1_000 : 3_600_000;
      expect(again).toBeDefined();
      expect(Math.abs((again ?? Number.NaN) - ms)).toBeLessThanOrEqual(grainMs / 2 + 500);
    }),
  );
});

test("the parser and the schema of the file accept the same texts", () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.stringMatching(/^([0-9]{1,3}(\.[0-9])?(ms|s|m|h|d|w|x)){0,3}$/),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(parseDuration(text) !== undefined).toBe(durationTextSchema.safeParse(text).success);
    }),
  );
});
