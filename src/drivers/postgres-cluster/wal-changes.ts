/**
 * What a received log tells of each transaction: how many rows it wrote, in which files, whether it changed definitions, dropped or emptied tables. Reads
 * the stored bytes once, in their order, and holds what is known of transactions that have not ended.
 */
import { bytesBefore } from "../../core/logs/log-position.ts";
import type { LogChange, LogChangesRequest } from "../../core/ports/logs.ts";
import { formatAmount, formatCount, formatList } from "../../core/text/quantity.ts";
import { type WalRecord, WalRecords, logPageBytes, managerOf, operationOf, transactionOf } from "./wal-records.ts";
import { isRestorePoint, readRestorePoint, restorePointBytes } from "./wal-restore-points.ts";
import { type RowAct, type WalRows, readRows, rowBytes } from "./wal-rows.ts";
import { type TransactionEnd, isTransactionEnd, longestEndBytes, readTransactionEnd } from "./wal-transactions.ts";

/** A transaction that writes fewer rows is told only for what else it did. */
const leastRows = 100;

/** Files of lower numbers are those that a cluster is made with: the catalogs. */
const firstOwnFile = 16_384;
/** `pg_class` and `pg_attribute`, as long as nobody has written them anew. */
const relationsFile = 1259;
const columnsFile = 1249;

const databaseManager = 4;
const operationMask = 0x70;
const dropsDatabase = 0x20;

/** What a transaction, or one within it, has done so far. */
class Deeds {
  readonly rows: Record<RowAct, number> = { inserted: 0, updated: 0, deleted: 0 };
  readonly tables = new Map<string, number>();
  readonly relations: Record<RowAct, number> = { inserted: 0, updated: 0, deleted: 0 };
  readonly columns: Record<RowAct, number> = { inserted: 0, updated: 0, deleted: 0 };
  databasesDropped = 0;

  add({ act, rows, database, file }: WalRows): void {
    if (file === relationsFile) this.relations[act] += rows;
    else if (file === columnsFile) this.columns[act] += rows;
    if (file < firstOwnFile) return;
    this.rows[act] += rows;
    const table = `${database}/${file}`;
    this.tables.set(table, (this.tables.get(table) ?? 0) + rows);
  }

  take(other: Deeds): void {
    for (const act of ["inserted", "updated", "deleted"] as const) {
      this.rows[act] += other.rows[act];
      this.relations[act] += other.relations[act];
      this.columns[act] += other.columns[act];
    }
    for (const [table, rows] of other.tables) this.tables.set(table, (this.tables.get(table) ?? 0) + rows);
    this.databasesDropped += other.databasesDropped;
  }
}

const files = (count: number): string => `${formatAmount(count, "files")} of tables and indexes`;

/** A temporary table comes and goes in the catalogs too, and has no file that the log knows. */
const structureOf = ({ relations, columns, databasesDropped }: Deeds, removedFiles: number): readonly string[] => [
  ...(databasesDropped === 0 ? [] : [`${formatAmount(databasesDropped, "databases")} dropped`]),
  ...(removedFiles === 0
    ? []
    : [relations.deleted > 0 ? `${files(removedFiles)} dropped` : `${files(removedFiles)} emptied or written anew`]),
  ...(removedFiles === 0 && (columns.updated > 0 || (columns.inserted > 0 && relations.inserted === 0))
    ? ["columns of tables altered"]
    : []),
];

const told = (end: TransactionEnd, done: Deeds): LogChange | null => {
  const { inserted, updated, deleted } = done.rows;
  const weight = inserted + updated + deleted;
  const structure = structureOf(done, end.removedFiles);
  if (structure.length === 0 && weight < leastRows) return null;
  const parts = (["deleted", "updated", "inserted"] as const).flatMap((act) =>
    done.rows[act] === 0 ? [] : [`${formatCount(done.rows[act])} ${act}`],
  );
  const rows = parts.length === 0 ? [] : [`rows: ${formatList(parts)}`];
  return {
    at: new Date(end.atMs).toISOString(),
    target: `xid ${end.transactions[0]}`,
    what: [...structure, ...rows].join("; "),
    subjects: [...done.tables].toSorted(([, a], [, b]) => b - a).map(([table]) => table),
    weight,
    isNotable: structure.length > 0,
  };
};

const isDatabaseDropped = (header: Buffer): boolean =>
  managerOf(header) === databaseManager && (operationOf(header) & operationMask) === dropsDatabase;

const wantedBytes = (header: Buffer): number => {
  if (isTransactionEnd(header)) return longestEndBytes;
  if (isRestorePoint(header)) return restorePointBytes;
  return isDatabaseDropped(header) ? header.length : rowBytes(header);
};

class Reading {
  readonly #open = new Map<number, Deeds>();
  #found: LogChange[] = [];

  record(record: WalRecord): void {
    const { head } = record;
    if (isTransactionEnd(head)) this.#end(readTransactionEnd(record));
    else if (isRestorePoint(head)) this.#restorePoint(record);
    else {
      const number = transactionOf(head);
      const done = this.#open.get(number) ?? new Deeds();
      this.#open.set(number, done);
      const rows = readRows(record);
      if (rows !== null) done.add(rows);
      else if (isDatabaseDropped(head)) done.databasesDropped += 1;
    }
  }

  #end(end: TransactionEnd | null): void {
    if (end === null) return;
    const all = new Deeds();
    for (const number of end.transactions) {
      const done = this.#open.get(number);
      if (done !== undefined) all.take(done);
      this.#open.delete(number);
    }
    const change = end.isCommit ? told(end, all) : null;
    if (change !== null) this.#found.push(change);
  }

  #restorePoint(record: WalRecord): void {
    const point = readRestorePoint(record);
    if (point === null) return;
    this.#found.push({
      at: new Date(point.atMs).toISOString(),
      target: `restore point ${point.name}`,
      what: `restore point "${point.name}"`,
      subjects: [],
      weight: 0,
      isNotable: true,
    });
  }

  /** Those since the last time. */
  take(): readonly LogChange[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }
}

export async function* readWalChanges({ span, from, read, signal }: LogChangesRequest): AsyncGenerator<LogChange> {
  const reading = new Reading();
  const records = new WalRecords(bytesBefore(from), logPageBytes, {
    wanted: wantedBytes,
    onRecord: (record) => reading.record(record),
  });
  for await (const bytes of read(span.line, from, span.to, { transient: true })) {
    signal.throwIfAborted();
    records.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    yield* reading.take();
  }
}
