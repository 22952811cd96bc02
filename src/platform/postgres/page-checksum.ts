/**
 * Checksums of pages as PostgreSQL writes them where `data_checksums` is on: FNV-1a in 32 lanes, folded to 16 bits with the number of the page.
 * Source of the algorithm: PostgreSQL's src/include/storage/checksum_impl.h. Bytes in the order of a little-endian machine.
 */
import type { PageRules } from "../../core/ports/vault-snapshots.ts";

const lanes = 32;
const prime = 0x0100_0193;
const bases = Int32Array.from([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f,
  0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc,
  0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6,
  0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);

/** Where a page has its own position in the log (two halves), its checksum, and the end of its free space, in bytes. */
const [lsnAt, checksumAt, upperAt] = [0, 8, 14];

/**
 * @param piece of a file, beginning at a page @param offset of it in the file
 * @param readAgain what the file has now at an offset, as many bytes; a page may be written while it is read. It is called a few times until the page is good;
 * `look` counts them from 1
 * @returns the number of the first page in the file that is bad; null when none is
 */
export type PageCheck = (
  piece: Uint8Array,
  offset: number,
  readAgain: (offset: number, bytes: number, look: number) => Uint8Array,
) => number | null;

/** What a disk has spoilt stays so; a write that is under way is over soon. */
const looks = 5;

const relationFile = /^\d+(?:_(?:fsm|vm|init))?(?:\.(?<segment>\d+))?$/;

/** @returns null for a file that has no such pages */
export const createPageCheck = (rules: PageRules, fileName: string): PageCheck | null => {
  const found = relationFile.exec(fileName);
  if (found === null) return null;
  const firstPage = Number(found.groups?.["segment"] ?? 0) * rules.segmentPages;
  const { pageBytes } = rules;
  const scratch = new Page(rules);
  return (piece, offset, readAgain) => {
    const isSpoilt = (at: number, number: number): boolean => {
      for (let look = 1; look <= looks; look += 1) {
        const again = readAgain(at, pageBytes, look);
        if (again.length !== pageBytes || scratch.isGood(again, number)) return false;
      }
      return true;
    };
    // Behind a part of a page all is growing just now.
    if (offset % pageBytes !== 0) return null;
    for (let at = 0; at + pageBytes <= piece.length; at += pageBytes) {
      const number = (offset + at) / pageBytes;
      if (scratch.isGood(piece.subarray(at, at + pageBytes), firstPage + number)) continue;
      if (isSpoilt(offset + at, firstPage + number)) return number;
    }
    return null;
  };
};

class Page {
  readonly #startHigh: number;
  readonly #startLow: number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #sums = new Int32Array(lanes);

  constructor({ startLsn, pageBytes }: PageRules) {
    const memory = new ArrayBuffer(pageBytes);
    this.#startHigh = Number(startLsn >> 32n);
    this.#startLow = Number(BigInt.asUintN(32, startLsn));
    this.#bytes = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.#view = new DataView(memory);
  }

  isGood(page: Uint8Array, number: number): boolean {
    this.#bytes.set(page);
    const view = this.#view;
    // A page that was never used is empty, and has no checksum.
    if (view.getUint16(upperAt, true) === 0) return true;
    const [high, low] = [view.getUint32(lsnAt, true), view.getUint32(lsnAt + 4, true)];
    if (high > this.#startHigh || (high === this.#startHigh && low >= this.#startLow)) return true;
    const expected = view.getUint16(checksumAt, true);
    view.setUint16(checksumAt, 0, true);
    return (((this.#fold() ^ number) >>> 0) % 65_535) + 1 === expected;
  }

  #fold(): number {
    const words = this.#words;
    const sums = this.#sums;
    sums.set(bases);
    for (let row = 0; row < words.length; row += lanes)
      for (let lane = 0; lane < lanes; lane += 1) {
        const mixed = (sums[lane] ?? 0) ^ (words[row + lane] ?? 0);
        sums[lane] = Math.imul(mixed, prime) ^ (mixed >>> 17);
      }
    let folded = 0;
    for (let lane = 0; lane < lanes; lane += 1) {
      let sum = sums[lane] ?? 0;
      for (let round = 0; round < 2; round += 1) sum = Math.imul(sum, prime) ^ (sum >>> 17);
      folded ^= sum;
    }
    return folded;
  }
}
