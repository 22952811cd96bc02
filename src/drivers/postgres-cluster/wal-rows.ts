/** What records of WAL say of rows: how many were written, in which table's file. Form: access/heapam_xlog.h and access/xlogrecord.h of PostgreSQL 15 to 18. */
import { type WalRecord, managerOf, operationOf } from "./wal-records.ts";

const heapManager = 10;
const secondHeapManager = 9;
const operationMask = 0x70;
const manyRowsOperation = 0x50;

export type RowAct = "inserted" | "updated" | "deleted";

const acts = new Map<number, RowAct>([
  [0x00, "inserted"],
  [0x10, "deleted"],
  [0x20, "updated"],
  [0x40, "updated"],
]);

const recordHeaderBytes = 24;
/** Its own header, an image's, and the file's name: a record of rows begins with the block that they are in. */
const firstBlockBytes = recordHeaderBytes + 4 + 7 + 12;
/** Of a record that holds many rows: they fit into a page, and its image may stand beside them. */
const manyRowsBytes = 64 * 1024;

const isManyRows = (header: Buffer): boolean =>
  managerOf(header) === secondHeapManager && (operationOf(header) & operationMask) === manyRowsOperation;

const actOf = (header: Buffer): RowAct | undefined =>
  isManyRows(header)
    ? "inserted"
    : managerOf(header) === heapManager
      ? acts.get(operationOf(header) & operationMask)
      : undefined;

/** How many bytes of the record `readRows` needs; 0 for one that is not of rows. */
export const rowBytes = (header: Buffer): number =>
  isManyRows(header) ? manyRowsBytes : actOf(header) === undefined ? 0 : firstBlockBytes;

export type WalRows = {
  readonly act: RowAct;
  readonly rows: number;
  /** Numbers of the database and of the file, which is not the table's own number for ever. */
  readonly database: number;
  readonly file: number;
};

const hasImage = 0x10;
const sameFile = 0x80;
const hasHole = 0x01;
/** Of `bimg_info`: pglz, lz4, zstd. */
const isPacked = 0x1c;
const longestBlockId = 32;

type Blocks = { readonly database: number; readonly file: number; readonly rowsAt: number | null };

/** Goes through the headers of the blocks. `rowsAt`: where the record's own data stands, behind that of the blocks. */
const readBlocks = (head: Buffer): Blocks | null => {
  let at = recordHeaderBytes;
  let data = 0;
  let named: { readonly database: number; readonly file: number } | null = null;
  while (at + 4 <= head.length) {
    const id = head.readUInt8(at);
    if (id > longestBlockId) {
      if (id === 253) at += 3;
      else if (id === 252) at += 5;
      else return named === null ? null : { ...named, rowsAt: at + (id === 255 ? 2 : 5) + data };
      continue;
    }
    const flags = head.readUInt8(at + 1);
    data += head.readUInt16LE(at + 2);
    at += 4;
    if ((flags & hasImage) !== 0) {
      if (at + 5 > head.length) return named === null ? null : { ...named, rowsAt: null };
      data += head.readUInt16LE(at);
      const info = head.readUInt8(at + 4);
      at += 5 + ((info & isPacked) !== 0 && (info & hasHole) !== 0 ? 2 : 0);
    }
    if ((flags & sameFile) === 0) {
      if (at + 12 > head.length) return named === null ? null : { ...named, rowsAt: null };
      named ??= { database: head.readUInt32LE(at + 4), file: head.readUInt32LE(at + 8) };
      at += 12;
    }
    at += 4;
  }
  return named === null ? null : { ...named, rowsAt: null };
};

/** @param record `rowBytes` of it @returns null for one that is not of rows, or cannot be read */
export const readRows = ({ head }: Pick<WalRecord, "head">): WalRows | null => {
  const act = actOf(head);
  const blocks = act === undefined ? null : readBlocks(head);
  if (act === undefined || blocks === null) return null;
  const { database, file, rowsAt } = blocks;
  if (!isManyRows(head)) return { act, rows: 1, database, file };
  const rows = rowsAt === null || rowsAt + 4 > head.length ? 1 : head.readUInt16LE(rowsAt + 2);
  return { act, rows, database, file };
};
