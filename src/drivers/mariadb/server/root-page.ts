/**
 * Counters in the files of a stopped server: InnoDB keeps that of AUTO_INCREMENT on the root page of the clustered index, which is page 3 of each file of a table, and a
 * sequence is a table of one row there. Source: MariaDB's storage/innobase/include/{fsp0types,fil0fil,page0page}.h and sql/sql_sequence.cc.
 */
import { type FileHandle, open } from "node:fs/promises";

/** Offsets in a page; all numbers are big endian. */
const at = {
  pageNumber: 4,
  type: 24,
  space: 34,
  spaceFlags: 54,
  /** In the first page of a file. */
  ownSpace: 38,
  heapCount: 42,
  rowCount: 54,
  autoIncrement: 56,
  infimum: { compact: 99, redundant: 101 },
} as const;

const rootPage = 3;
const headerBytes = 128;
const indexPage = 17_855;
/** Of a table that got a column without being built anew. */
const instantPage = 18;
const compactFlag = 0x80_00;
/** The row number, transaction and undo pointer that each row without a key begins with. */
const hiddenBytes = 19;
const signBit = 1n << 63n;

type Format = { readonly pageBytes: number; readonly isSummed: boolean };

/** Null for flags that no server writes. @param flags of the file's first page */
const formatOf = (flags: number): Format | null => {
  const isSummed = (flags & 0x10) !== 0;
  const zip = isSummed ? 0 : (flags >> 1) & 15;
  const shift = zip || (isSummed ? flags & 15 : (flags >> 6) & 15) || 5;
  return shift > 7 ? null : { pageBytes: 512 << shift, isSummed };
};

const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82_f6_3b_78 : value >>> 1;
  return value >>> 0;
});

/** CRC-32C. */
const sumOf = (bytes: Buffer): number => {
  let value = 0xff_ff_ff_ff;
  for (const byte of bytes) value = (value >>> 8) ^ (crcTable[(value ^ byte) & 255] ?? 0);
  return (value ^ 0xff_ff_ff_ff) >>> 0;
};

const readAt = async (file: FileHandle, position: number, length: number): Promise<Buffer | null> => {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return bytesRead === length ? buffer : null;
};

/** Null for one that is compressed as a whole, encrypted, damaged, or of another kind. @throws what the system says */
const readRoot = async (path: string): Promise<Buffer | null> => {
  const file = await open(path);
  try {
    const first = await readAt(file, 0, headerBytes);
    const format = first === null ? null : formatOf(first.readUInt32BE(at.spaceFlags));
    if (first === null || format === null) return null;
    const { pageBytes, isSummed } = format;
    const page = await readAt(file, rootPage * pageBytes, pageBytes);
    if (page === null || page.readUInt32BE(at.pageNumber) !== rootPage) return null;
    if (page.readUInt32BE(at.space) !== first.readUInt32BE(at.ownSpace)) return null;
    if (![indexPage, instantPage].includes(page.readUInt16BE(at.type))) return null;
    // A page of half a write would give a number that takes all others from the table.
    if (isSummed && sumOf(page.subarray(0, pageBytes - 4)) !== page.readUInt32BE(pageBytes - 4)) return null;
    return page;
  } finally {
    await file.close();
  }
};

/** The last number that was given out, 0 for none; null where the file does not tell. @throws what the system says */
export const lastNumberIn = async (path: string): Promise<bigint | null> =>
  (await readRoot(path))?.readBigUInt64BE(at.autoIncrement) ?? null;

/** The first number that a sequence of 64 bits with a sign has not set aside; null where the file does not tell. @throws what the system says */
export const nextNumberIn = async (path: string): Promise<bigint | null> => {
  const page = await readRoot(path);
  if (page === null || page.readUInt16BE(at.rowCount) !== 1) return null;
  const isCompact = (page.readUInt16BE(at.heapCount) & compactFlag) !== 0;
  const infimum = isCompact ? at.infimum.compact : at.infimum.redundant;
  const link = page.readUInt16BE(infimum - 2);
  const row = isCompact ? infimum + link : link;
  const value = row + hiddenBytes;
  if (value + 8 > page.length) return null;
  return BigInt.asIntN(64, page.readBigUInt64BE(value) ^ signBit);
};
