/**
 * Polynomials over GF(2) of degree 53 for the chunker, as bit patterns in a bigint. A repository draws one at random, so that the
 * sizes of its blobs do not tell which known files it holds.
 */
import { randomBytes } from "node:crypto";

export const polynomialDegree = 53;

const degree = (value: bigint): number => value.toString(2).length - 1;

const remainder = (value: bigint, by: bigint): bigint => {
  const byDegree = degree(by);
  let rest = value;
  while (rest !== 0n && degree(rest) >= byDegree) rest ^= by << BigInt(degree(rest) - byDegree);
  return rest;
};

const greatestCommonDivisor = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, remainder(x, y)];
  return x;
};

const squareModulo = (value: bigint, by: bigint): bigint => {
  let square = 0n;
  for (let bit = 0n, rest = value; rest !== 0n; bit += 2n, rest >>= 1n) if ((rest & 1n) === 1n) square |= 1n << bit;
  return remainder(square, by);
};

/** Ben-Or's test: no factor of degree i divides x^(2^i) - x, for each i up to half the degree. */
export const isIrreducible = (polynomial: bigint): boolean => {
  let power = 2n;
  for (let i = 1; i <= Math.floor(degree(polynomial) / 2); i += 1) {
    power = squareModulo(power, polynomial);
    if (greatestCommonDivisor(polynomial, power ^ 2n) !== 1n) return false;
  }
  return true;
};

export const randomPolynomial = (): bigint => {
  const top = 1n << BigInt(polynomialDegree);
  for (;;) {
    const drawn = BigInt(`0x${randomBytes(7).toString("hex")}`);
    const candidate = (drawn & (top - 1n)) | top | 1n;
    if (isIrreducible(candidate)) return candidate;
  }
};
