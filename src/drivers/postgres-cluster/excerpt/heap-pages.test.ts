import { expect, test } from "vitest";
import { hasRowsOf } from "./heap-pages.ts";

const pageBytes = 8192;
const rowBytes = 32;

/** A page with a row of each of these transactions, as bufpage.h has it. */
const pageOf = (madeBy: readonly number[]): Buffer => {
  const page = Buffer.alloc(pageBytes);
  page.writeUInt16LE(24 + 4 * madeBy.length, 12);
  for (const [index, transaction] of madeBy.entries()) {
    const offset = pageBytes - rowBytes * (index + 1);
    page.writeUInt32LE(((rowBytes << 17) | (1 << 15) | offset) >>> 0, 24 + 4 * index);
    page.writeUInt32LE(transaction, offset);
    page.writeUInt8(24, offset + 22);
  }
  return page;
};

/** In pieces that end within pages. */
async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5000) yield bytes.subarray(at, at + 5000);
}

const found = (madeBy: readonly number[], floor: bigint, next: bigint): Promise<boolean> =>
  hasRowsOf(pieces(Buffer.concat([pageOf([]), pageOf(madeBy), Buffer.alloc(pageBytes)])), { floor, next });

const round = 2n ** 32n;

test("rows of the transactions from the floor on are found, and no others", async () => {
  expect(await found([999, 2, 1, 0], 1000n, 1010n)).toBe(false);
  expect(await found([999, 1000], 1000n, 1010n)).toBe(true);
  expect(await found([1009], 1000n, 1010n)).toBe(true);
  expect(await found([1010, 2_000_000_000, 4_000_000_000], 1000n, 1010n)).toBe(false);
  expect(await found([1000], 1000n, 1000n)).toBe(false);
});

test("ids come round: a row is found however many transactions came after the point", async () => {
  const floor = 3n * round - 5n;
  expect(await found([4_294_967_292], floor, floor + 20n)).toBe(true);
  expect(await found([7], floor, floor + 20n)).toBe(true);
  expect(await found([4_294_967_290, 100], floor, floor + 20n)).toBe(false);
  // More than half a round after it, and more than a whole one.
  expect(await found([3_000_000_000], 1000n, 3_000_000_001n)).toBe(true);
  expect(await found([500], 1000n, round + 1001n)).toBe(true);
  expect(await found([2], 1000n, round + 1001n)).toBe(false);
});
