/**
 * Rows of a table as they lie in its file, read without a server: dead ones and those of transactions that never committed included. Form: storage/bufpage.h
 * and access/htup_details.h, alike in PostgreSQL 15 to 18.
 */
import type { ByteStream } from "../../../core/ports/bytes.ts";

const pageBytes = 8192;
const pageHeaderBytes = 24;
const freeBeginAt = 12;
const linePointerBytes = 4;
const normalLine = 1;
const tupleHeaderBytes = 23;
/** Within the header of a row. */
const inHeader = { madeBy: 0, endedBy: 4, marks: 20, rowAt: 22 } as const;
const isEndless = 0x08_00 | 0x00_80;
/** Ids below are no transactions: such rows were frozen long ago. */
const firstTransaction = 3;

/** Where the rows of a page begin, and how long each is with its header. */
function* tuplesOn(page: Buffer): Generator<readonly [offset: number, length: number]> {
  const end = Math.min(page.readUInt16LE(freeBeginAt), pageBytes);
  for (let at = pageHeaderBytes; at + linePointerBytes <= end; at += linePointerBytes) {
    const line = page.readUInt32LE(at);
    const [offset, state, length] = [line & 0x7fff, (line >>> 15) & 3, line >>> 17];
    if (state === normalLine && length >= tupleHeaderBytes && offset + length <= pageBytes) yield [offset, length];
  }
}

async function* pagesOf(content: ByteStream): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const piece of content) {
    const all = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece]);
    const whole = all.length - (all.length % pageBytes);
    for (let at = 0; at < whole; at += pageBytes) yield all.subarray(at, at + pageBytes);
    rest = all.subarray(whole);
  }
}

export type RawRow = {
  /** What is stored of it, without its header. */
  readonly data: Buffer;
  /** Has a transaction deleted it or put another version in its place, as far as the row itself tells? */
  readonly isEnded: boolean;
};

export async function* rawRows(content: ByteStream): AsyncGenerator<RawRow> {
  for await (const page of pagesOf(content))
    for (const [offset, length] of tuplesOn(page)) {
      const begin = page.readUInt8(offset + inHeader.rowAt);
      if (begin >= length) continue;
      const isEnded =
        page.readUInt32LE(offset + inHeader.endedBy) !== 0 &&
        (page.readUInt16LE(offset + inHeader.marks) & isEndless) === 0;
      yield { data: page.subarray(offset + begin, offset + length), isEnded };
    }
}

const aRound = 0x1_0000_0000;

/** Transactions, with their epochs. */
export type TransactionSpan = {
  readonly floor: bigint;
  /** The first one that was not begun yet. */ readonly next: bigint;
};

/** Is there a row of one of these transactions, dead or alive? A row of long ago whose id has come round again is taken for one as well. */
export const hasRowsOf = async (content: ByteStream, { floor, next }: TransactionSpan): Promise<boolean> => {
  const first = Number(BigInt.asUintN(32, floor));
  // Behind a whole round each id may be one of them.
  const count = Math.min(Number(next - floor), aRound);
  for await (const page of pagesOf(content))
    for (const [offset] of tuplesOn(page)) {
      const madeBy = page.readUInt32LE(offset + inHeader.madeBy);
      if (madeBy >= firstTransaction && (madeBy - first) >>> 0 < count) return true;
    }
  return false;
};
