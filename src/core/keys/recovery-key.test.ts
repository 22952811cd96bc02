import fc from "fast-check";
import { expect, it } from "vitest";
import { readRecoveryKey, recoveryKeyBytes, writeRecoveryKey } from "./recovery-key.ts";

const random = fc.uint8Array({ minLength: recoveryKeyBytes, maxLength: recoveryKeyBytes });

it("is read however it is typed", () => {
  fc.assert(
    fc.property(random, (bytes) => {
      const key = writeRecoveryKey(bytes);
      expect(key).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}$/);
      expect(readRecoveryKey(key)).toBe(key);
      expect(readRecoveryKey(` ${key.toLowerCase().replaceAll("-", " ")}\n`)).toBe(key);
      expect(readRecoveryKey(key.replaceAll("-", "").replaceAll("0", "o").replaceAll("1", "l"))).toBe(key);
    }),
  );
});

it("is told from one with a slip, nearly always", () => {
  const key = writeRecoveryKey(Uint8Array.from({ length: recoveryKeyBytes }, (_, at) => at));
  const letters = key.split("");
  const slips = letters.flatMap((letter, at) =>
    letter === "-" ? [] : [letters.with(at, letter === "7" ? "8" : "7").join("")],
  );
  expect(slips.filter((slip) => readRecoveryKey(slip) !== null)).toEqual([]);
  expect(readRecoveryKey("correct horse battery staple")).toBeNull();
  expect(readRecoveryKey("")).toBeNull();
});
