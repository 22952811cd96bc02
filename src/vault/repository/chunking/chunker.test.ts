import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Kernel } from "../wasm/kernel.ts";
import { BoundaryFinder, maxChunkBytes, minChunkBytes } from "./chunker.ts";
import { isIrreducible, polynomialDegree, randomPolynomial } from "./polynomial.ts";

/** Of the restic/chunker README. */
const polynomial = 0x3da3358b4dc173n;

/** Bytes that look random and are the same in each run. */
const seededBytes = (length: number, seed: string): Buffer => {
  const blocks: Buffer[] = [];
  for (let at = 0; at * 64 < length; at += 1) blocks.push(createHash("sha512").update(`${seed} ${at}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
};

/** The algorithm as restic's documents tell it, byte by byte: two halves of the digest as plain numbers. */
const referenceCuts = (bytes: Uint8Array, by: bigint): readonly number[] => {
  const modulo = (value: bigint): bigint => {
    let rest = value;
    while (rest >> 53n !== 0n) rest ^= by << BigInt(rest.toString(2).length - 54);
    return rest;
  };
  const outTable: bigint[] = [];
  const modTable: bigint[] = [];
  for (let byte = 0n; byte < 256n; byte += 1n) {
    let digest = modulo(byte);
    for (let i = 0; i < 63; i += 1) digest = modulo(digest << 8n);
    outTable.push(digest);
    modTable.push(modulo(byte << 53n) | (byte << 53n));
  }
  const window = new Uint8Array(64);
  let digest = 0n;
  let at = 0;
  const slide = (byte: number): void => {
    digest ^= outTable[window[at] ?? 0] ?? 0n;
    window[at] = byte;
    at = (at + 1) % 64;
    digest = (digest << 8n) | BigInt(byte);
    digest ^= modTable[Number(digest >> 53n)] ?? 0n;
  };
  const cuts: number[] = [];
  let begin = 0;
  const reset = (): void => {
    window.fill(0);
    digest = 0n;
    at = 0;
    slide(1);
  };
  reset();
  for (let i = 0; i < bytes.length; i += 1) {
    const length = i + 1 - begin;
    if (length <= minChunkBytes - 64) continue;
    slide(bytes[i] ?? 0);
    if (length < minChunkBytes) continue;
    if ((digest & 0xfffffn) === 0n || length >= maxChunkBytes) {
      cuts.push(i + 1);
      begin = i + 1;
      reset();
    }
  }
  return cuts;
};

/** @param steps how many bytes come at a time, over and over */
const cuts = (bytes: Uint8Array, by: bigint, steps: readonly number[]): readonly number[] => {
  const finder = new BoundaryFinder(new Kernel(), by);
  const found: number[] = [];
  let begin = 0;
  let end = 0;
  for (let step = 0; end < bytes.length; step += 1) {
    end = Math.min(bytes.length, end + (steps[step % steps.length] ?? 1));
    for (;;) {
      const length = finder.find(bytes.subarray(begin, end));
      if (length === -1) break;
      begin += length;
      found.push(begin);
    }
  }
  return found;
};

describe("boundaries of chunks", () => {
  const random = seededBytes(10 * 1024 * 1024, "chunks");
  const expected = referenceCuts(random, polynomial);

  it("lie where the plain algorithm has them", () => {
    expect(expected.length).toBeGreaterThan(3);
    expect(cuts(random, polynomial, [random.length])).toEqual(expected);
  });

  it("do not depend on how the bytes come", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 5 }), (steps) => {
        fc.pre(steps.reduce((sum, step) => sum + step, 0) / steps.length > 20_000);
        expect(cuts(random, polynomial, steps)).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it("lie where the plain algorithm has them, for any polynomial and beginning", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 * 1024 * 1024 }), (from) => {
        const by = randomPolynomial();
        const part = random.subarray(from, from + 1_500_000);
        expect(cuts(part, by, [333_333])).toEqual(referenceCuts(part, by));
      }),
      { numRuns: 5 },
    );
  });

  it("come at the least length in zeros, whose fingerprint is zero", () => {
    const zeros = Buffer.alloc(3 * minChunkBytes + 5);
    expect(cuts(zeros, polynomial, [100_000])).toEqual([1, 2, 3].map((n) => n * minChunkBytes));
  });

  it("come at the greatest length where no fingerprint fits", () => {
    // A constant byte has one fingerprint throughout.
    const constant = Buffer.alloc(maxChunkBytes + 100, 0x55);
    expect(cuts(constant, polynomial, [1_000_000])).toEqual([maxChunkBytes]);
  });

  it("move only near a change", () => {
    const changed = Buffer.concat([seededBytes(1000, "inserted"), random]);
    const moved = new Set(cuts(changed, polynomial, [changed.length]).map((cut) => cut - 1000));
    const kept = expected.filter((cut) => moved.has(cut));
    expect(kept.length).toBeGreaterThan(expected.length / 2);
  });
});

describe("polynomials", () => {
  it("are told from reducible ones", () => {
    expect(isIrreducible(polynomial)).toBe(true);
    // x^2 + 1 = (x + 1)^2; x^2 + x + 1 has no root.
    expect(isIrreducible(0b101n)).toBe(false);
    expect(isIrreducible(0b111n)).toBe(true);
    expect(isIrreducible(polynomial ^ 1n)).toBe(false);
  });

  it("are drawn of the right degree, irreducible and differing", () => {
    const drawn = [randomPolynomial(), randomPolynomial()];
    for (const one of drawn) {
      expect(one.toString(2)).toHaveLength(polynomialDegree + 1);
      expect(isIrreducible(one)).toBe(true);
    }
    expect(drawn[0]).not.toBe(drawn[1]);
  });
});
