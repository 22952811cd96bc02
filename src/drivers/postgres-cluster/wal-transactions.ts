/** What a record of WAL says of the end of a transaction. Form: access/xact.h of PostgreSQL 13 to 18. */
import { type WalRecord, beforeDataBytes, dataBegin, managerOf, operationOf, transactionOf } from "./wal-records.ts";

const transactionManager = 1;
const operationMask = 0x70;
/** The data has more than the time. */
const hasInfo = 0x80;

/** Commit, abort, and those of a prepared transaction. */
const ends = new Map([
  [0x00, { isCommit: true }],
  [0x20, { isCommit: false }],
  [0x30, { isCommit: true }],
  [0x40, { isCommit: false }],
]);

/** Of one that is read whole; one that ends more than a million transactions at once is known by the first of them. */
export const longestEndBytes = 8 * 1024 * 1024;

/** As far as its time. */
export const timeBytes = beforeDataBytes + 8;

/** Microseconds between 1970 and 2000, which PostgreSQL counts from. */
const epochMicros = 946_684_800_000_000n;

export const millisecondsOf = (micros: bigint): number => Number((micros + epochMicros) / 1000n);

const endOf = (header: Buffer) =>
  managerOf(header) === transactionManager ? ends.get(operationOf(header) & operationMask) : undefined;

export const isTransactionEnd = (header: Buffer): boolean => endOf(header) !== undefined;

export const isCommit = (header: Buffer): boolean => endOf(header)?.isCommit === true;

/** @param head of a record that ends a transaction, at least `timeBytes` of it @returns null where it has no time */
export const endedAtMs = (head: Buffer): number | null => {
  const data = dataBegin(head);
  return data !== null && data + 8 <= head.length ? millisecondsOf(head.readBigInt64LE(data)) : null;
};

/** What `xinfo` says that there is, in the order in which it stands in the record. */
const databaseFlag = 1;
const subtransactionsFlag = 2;
const filesFlag = 4;
const statisticsFlag = 256;
const invalidationsFlag = 8;
const preparedFlag = 16;

/** Of PostgreSQL 18, which names dropped statistics by 64 bits. */
const wideStatisticsMagic = 0xd118;

/** Lists of so many entries of so many bytes stand before the transaction that was prepared. */
const listsBefore = (magic: number): readonly (readonly [flag: number, bytes: number])[] => [
  [filesFlag, 12],
  [statisticsFlag, magic >= wideStatisticsMagic ? 16 : 12],
  [invalidationsFlag, 16],
];

/** The transaction that a record ends, those within it (savepoints, blocks that catch exceptions), and how many files it removed. */
const readEnded = ({ head, magic }: EndRecord): Pick<TransactionEnd, "transactions" | "removedFiles"> => {
  const own = transactionOf(head);
  const data = dataBegin(head);
  if (data === null || (operationOf(head) & hasInfo) === 0 || data + 12 > head.length)
    return { transactions: [own], removedFiles: 0 };
  let at = data + 8;
  const next = (): number => {
    at += 4;
    return at <= head.length ? head.readUInt32LE(at - 4) : 0;
  };
  const info = next();
  if ((info & databaseFlag) !== 0) at += 8;
  const within = (info & subtransactionsFlag) === 0 ? 0 : next();
  const subtransactions: number[] = [];
  while (subtransactions.length < within && at < head.length) subtransactions.push(next());
  let removedFiles = 0;
  for (const [flag, bytes] of listsBefore(magic)) {
    if ((info & flag) === 0) continue;
    const count = next();
    if (flag === filesFlag) removedFiles = count;
    at += bytes * count;
  }
  return { transactions: [(info & preparedFlag) === 0 ? own : next(), ...subtransactions], removedFiles };
};

type EndRecord = Pick<WalRecord, "head" | "magic">;

export type TransactionEnd = {
  readonly transactions: readonly number[];
  readonly isCommit: boolean;
  readonly atMs: number;
  /** Of tables and indexes that it dropped, emptied or wrote anew. */
  readonly removedFiles: number;
};

/** @param record all of it @returns null for what ends no transaction, or cannot be read */
export const readTransactionEnd = (record: EndRecord): TransactionEnd | null => {
  const end = endOf(record.head);
  const atMs = endedAtMs(record.head);
  if (end === undefined || atMs === null) return null;
  return { ...readEnded(record), isCommit: end.isCommit, atMs };
};
