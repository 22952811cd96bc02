/**
 * Finds in a received log what PostgreSQL's people name a place in it by: the end of a transaction, a named restore point. Reads the stored bytes a part
 * at a time, the newest part first, and holds no more than one record.
 */
import type { LogTargetFound, LogTargetSearch, LogTargets, LogTargetWord } from "../../core/ports/logs.ts";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import { type WalRecord, WalRecords, logPageBytes } from "./wal-records.ts";
import { isRestorePoint, readRestorePoint, restorePointBytes, restorePointNameBytes } from "./wal-restore-points.ts";
import { isTransactionEnd, longestEndBytes, readTransactionEnd } from "./wal-transactions.ts";

/** A multiple of the page's size: how much is read before what lies before it. */
const partBytes = 32n * 1024n * 1024n;
/** The first number that PostgreSQL gives to a transaction. */
const firstTransaction = 3n;

const xid: LogTargetWord = {
  word: "xid",
  example: "xid 1234",
  read: (value) => {
    if (!/^\d{1,20}$/.test(value)) return { unfit: "the number of a transaction is made of digits" };
    // The log has the number without its epoch, which pg_current_xact_id() tells.
    const number = BigInt.asUintN(32, BigInt(value));
    if (number < firstTransaction) return { unfit: "no transaction has that number" };
    return { sought: String(number), missing: `no end of transaction ${value}` };
  },
};

const restorePoint: LogTargetWord = {
  word: "restore point",
  example: `restore point "before import"`,
  read: (value) =>
    Buffer.byteLength(value) < restorePointNameBytes
      ? { sought: value, missing: `no restore point named "${value}"` }
      : { unfit: `a restore point's name has at most ${restorePointNameBytes - 1} bytes` },
};

const lsn: LogTargetWord = {
  word: "lsn",
  example: "lsn 0/3000060",
  read: (value) =>
    /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(value)
      ? { position: positionAfter(bytesBefore(value)) }
      : { unfit: "a position is two hexadecimal numbers, as pg_current_wal_lsn() tells it" },
};

type Pattern = {
  readonly wanted: (header: Buffer) => number;
  /** @returns null for another record */
  readonly match: (record: WalRecord) => LogTargetFound | null;
};

const placed = ({ begin, end }: WalRecord, atMs: number): Omit<LogTargetFound, "voidBecause"> => ({
  before: positionAfter(begin),
  after: positionAfter(end),
  at: new Date(atMs).toISOString(),
});

const transactionEnd = (number: number): Pattern => ({
  wanted: (header) => (isTransactionEnd(header) ? longestEndBytes : 0),
  match: (record) => {
    const end = readTransactionEnd(record);
    if (end === null || !end.transactions.includes(number)) return null;
    const place = placed(record, end.atMs);
    return end.isCommit ? place : { ...place, voidBecause: `transaction ${number} was rolled back` };
  },
});

const restorePointNamed = (name: string): Pattern => ({
  wanted: (header) => (isRestorePoint(header) ? restorePointBytes : 0),
  match: (record) => {
    const found = readRestorePoint(record);
    return found?.name === name ? placed(record, found.atMs) : null;
  },
});

/** The last record of a part of the log that matches. It belongs to the part that it begins in. */
const lastInPart = async (
  { read, span, signal }: LogTargetSearch,
  part: { readonly begin: bigint; readonly end: bigint },
  { wanted, match }: Pattern,
): Promise<LogTargetFound | null> => {
  let last: LogTargetFound | null = null;
  const records = new WalRecords(part.begin, logPageBytes, {
    wanted,
    onRecord: (record) => {
      if (record.begin < part.end) last = match(record) ?? last;
    },
  });
  for await (const bytes of read(span.line, positionAfter(part.begin), span.to, { transient: true })) {
    signal.throwIfAborted();
    records.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    const { unfinished } = records;
    if (records.position >= part.end && (unfinished === null || unfinished >= part.end)) break;
  }
  return last;
};

const findRecord = async (search: LogTargetSearch): Promise<LogTargetFound | null> => {
  const pattern = search.word === xid.word ? transactionEnd(Number(search.sought)) : restorePointNamed(search.sought);
  const from = bytesBefore(search.span.from);
  for (let end = bytesBefore(search.span.to); end > from;) {
    const aligned = ((end - 1n) / partBytes) * partBytes;
    const begin = aligned > from ? aligned : from;
    const found = await lastInPart(search, { begin, end }, pattern);
    if (found !== null) return found;
    end = begin;
  }
  return null;
};

export const clusterTargets: LogTargets = { words: [xid, restorePoint, lsn], find: findRecord };
