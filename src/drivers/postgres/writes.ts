/** What a database has that was written after a position: exact where rows have a key, said where they have none. */
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import { compareTable, countWritten, noWrites, type TableWrites } from "./compare-table.ts";
import { countSmallTables } from "./count-rows.ts";
import { estimateWrites } from "./estimate-writes.ts";
import { describeOrigin, parseComment, readDatabaseState } from "./instance-mark.ts";
import { largeObjectsUnit } from "./captured-detail.ts";
import type { PostgresContext } from "./postgres-context.ts";
import type { PostgresOptions } from "./postgres-options.ts";
import { makePosition, type PositionMark, readCounters, takeMark } from "./position.ts";
import { openLocation } from "./retired-database.ts";
import { inTransaction, type Session } from "../../platform/postgres/session.ts";
import { compareSettings, type ScanOf, type WritesRequest, type WrittenSide, withWrittenSide } from "./written-side.ts";
import { readWrittenTables, type WrittenTable } from "./written-tables.ts";

type Unit = WriteReport["units"][number];

/** Above this, counting all rows of the other side to find out how many were deleted would take too long. */
const countableBlocks = 262_144;

type Scanned = WrittenSide & { readonly scanOf: ScanOf };

type Counters = Readonly<Record<string, readonly [number, number, number]>>;

/** What the server's statistics say was done to a table since; null when they do not reach back. */
const countedSince = (
  oid: string,
  { since, mark }: WrittenSide,
  counters: Counters,
): { readonly inserted: number; readonly updated: number; readonly deleted: number } | null => {
  if (since.counters === undefined || since.databaseOid !== mark.databaseOid) return null;
  const then = since.counters[oid] ?? ([0, 0, 0] as const);
  const now = counters[oid];
  if (now === undefined) return null;
  const [inserted, updated, deleted] = [now[0] - then[0], now[1] - then[1], now[2] - then[2]];
  // Statistics are forgotten after a crash of the server.
  return inserted < 0 || updated < 0 || deleted < 0 ? null : { inserted, updated, deleted };
};

type Found = { readonly unit: Unit; readonly lastWriteAt: string | null; readonly gaps: readonly string[] };

const found = (table: WrittenTable, writes: TableWrites, removed: number, gaps: readonly string[]): Found => {
  const { lastWriteAt, ...counts } = writes;
  return { unit: { name: table.label, ...counts, removed }, lastWriteAt, gaps };
};

const byHand = ({ unit, ...rest }: Found): Found => ({
  ...rest,
  unit: unit.added === 0 ? unit : { ...unit, byHand: true },
});

/** Without a side to compare with, new and changed rows look alike; the statistics tell them apart as well as they can. */
const lookAlone = async (table: WrittenTable, here: Scanned, counters: Counters): Promise<Found> => {
  const writes = await countWritten(table, here);
  const counted = countedSince(table.oid, here, counters);
  const before = here.since.databaseOid === here.mark.databaseOid ? capturedRows(table, here.since) : null;
  const fewer = before === null ? 0 : Math.max(0, before - here.scanOf(table).rows);
  if (counted === null) {
    const gap = `${table.label}: deleted rows cannot be told, the server's statistics do not reach back`;
    return found(table, writes, fewer, before === null ? [gap] : []);
  }
  const changed = counted.updated === 0 ? 0 : Math.max(0, writes.added - counted.inserted);
  const gaps =
    counted.updated > 0 && writes.added > 0
      ? [`${table.label}: which rows are new and which changed is an estimate, by the server's own counts`]
      : [];
  const removedGap =
    counted.deleted > 0
      ? [`${table.label}: how many rows were deleted is an estimate, by the server's own counts`]
      : [];
  const split = { ...writes, added: writes.added - changed, changed };
  return found(table, split, Math.max(counted.deleted, fewer), [...gaps, ...removedGap]);
};

/** How many rows the point has of a table, as its capture counted and its restore proved; null when it does not say. */
const capturedRows = ({ parts }: WrittenTable, since: PositionMark): number | null => {
  let sum = 0;
  for (const { label } of parts) {
    const rows = since.rows?.[label];
    if (rows === undefined) return null;
    sum += rows;
  }
  return sum;
};

const rowsOf = async (other: WrittenTable, since: PositionMark, there: Session): Promise<number | null> => {
  const captured = capturedRows(other, since);
  if (captured !== null) return captured;
  if (other.parts.reduce((sum, { blocks }) => sum + blocks, 0) > countableBlocks) return null;
  const [row] = await there.query<{ rows: number }>(`select count(*)::float8 as rows from ${other.from}`);
  return row?.rows ?? 0;
};

/** Keys of the other side that are gone from here: all keys there, less those that are on both sides. */
const countRemoved = async (
  table: WrittenTable,
  other: WrittenTable,
  added: number,
  here: Scanned,
  there: Session,
): Promise<{ readonly removed: number; readonly gaps: readonly string[] }> => {
  const rows = await rowsOf(other, here.since, there);
  if (rows !== null) return { removed: Math.max(0, rows - (here.scanOf(table).rows - added)), gaps: [] };
  const counted = countedSince(table.oid, here, await readCounters(here.session));
  if (counted?.deleted === 0) return { removed: 0, gaps: [] };
  return { removed: 0, gaps: [`${table.label} is too large to look for deleted rows`] };
};

const compareOne = async (
  table: WrittenTable,
  other: WrittenTable | undefined,
  here: Scanned,
  there: Session,
  isCopy: boolean,
): Promise<Found> => {
  if (here.since.excluded?.includes(table.label) === true) {
    return found(table, noWrites, 0, [`${table.label}: its rows were left out of the point, as declared`]);
  }
  if (other === undefined) return byHand(found(table, await countWritten(table, here), 0, []));
  const comparable = table.key.length > 0 && table.key.every((name) => other.columns.some((c) => c.name === name));
  if (!comparable) {
    const why = `${table.label} has no primary key`;
    if (here.predicate === null) return found(table, noWrites, 0, [`${why} and could not be compared`]);
    const writes = await countWritten(table, here);
    return byHand(found(table, writes, 0, [`${why}: changed rows count as added, deleted ones are not seen`]));
  }
  const writes = await compareTable(table, other, here, there);
  const { removed, gaps } = isCopy
    ? await countRemoved(table, other, writes.added, here, there)
    : { removed: 0, gaps: [] };
  return found(table, writes, removed, gaps);
};

/** Only a copy of this database as of the position tells what was removed since; any other side lacks rows for other reasons. */
const isCopyOf = async (there: Session, since: PositionMark): Promise<boolean> => {
  const state = await readDatabaseState(there, there.target.database);
  return parseComment(state?.comment ?? null).mark?.origin === describeOrigin(since);
};

const listBlobs = async (session: Session): Promise<ReadonlySet<string>> => {
  const rows = await session.query<{ oid: string }>("select oid::text as oid from pg_largeobject_metadata");
  return new Set(rows.map(({ oid }) => oid));
};

const compareBlobs = async (here: Session, there: Session): Promise<Found | null> => {
  const [mine, theirs] = [await listBlobs(here), await listBlobs(there)];
  const added = [...mine].filter((oid) => !theirs.has(oid)).length;
  const removed = [...theirs].filter((oid) => !mine.has(oid)).length;
  if (added + removed === 0) return null;
  return {
    unit: { name: largeObjectsUnit, added, changed: 0, removed },
    lastWriteAt: null,
    gaps: [`${largeObjectsUnit} are counted, not exported; changes inside them are not seen`],
  };
};

const compareSides = async (side: WrittenSide, there: Session): Promise<readonly Found[]> => {
  const [scanOf, otherTables] = await Promise.all([side.scan(), readWrittenTables(there)]);
  const here = { ...side, scanOf };
  const others = new Map(otherTables.map((table) => [table.label, table]));
  const isCopy = await isCopyOf(there, here.since);
  const all: Found[] = [];
  for (const table of here.tables) {
    all.push(await compareOne(table, others.get(table.label), here, there, isCopy));
    others.delete(table.label);
  }
  for (const table of isCopy ? others.values() : []) {
    const rows = (await rowsOf(table, here.since, there)) ?? 0;
    all.push(found(table, noWrites, rows, [`${table.label} was dropped`]));
  }
  const blobs = await compareBlobs(here.session, there);
  return blobs === null ? all : [...all, blobs];
};

const lookAtAlone = async (side: WrittenSide): Promise<readonly Found[]> => {
  const here = { ...side, scanOf: await side.scan() };
  const counters = await readCounters(here.session);
  const all: Found[] = [];
  for (const table of here.tables) all.push(await lookAlone(table, here, counters));
  return all;
};

const describe = (all: readonly Found[]): WriteReport => {
  const units = all.map(({ unit }) => unit).filter(({ added, changed, removed }) => added + changed + removed > 0);
  const times = all.flatMap(({ lastWriteAt }) => (lastWriteAt === null ? [] : [lastWriteAt])).sort();
  return { lastWriteAt: times.at(-1) ?? null, units, gaps: all.flatMap(({ gaps }) => gaps) };
};

const writesSince = async (context: PostgresContext, request: WritesRequest): Promise<WriteReport> =>
  withWrittenSide(context, request, async (here) => {
    if (request.against === undefined) return describe(await lookAtAlone(here));
    const there = await openLocation(context, request.against);
    try {
      await there.query(compareSettings);
      return describe(await compareSides(here, there));
    } finally {
      await there.close();
    }
  });

export const postgresWrites: WriteLedger<PostgresOptions> = {
  exports: "rows",
  position: async (context, location) => {
    const session = await openLocation(context, location);
    try {
      const takenAt = context.clock.now();
      return await inTransaction(session, "isolation level repeatable read read only", async () =>
        makePosition(takenAt, { ...(await takeMark(session)), rows: await countSmallTables(session) }),
      );
    } finally {
      await session.close();
    }
  },
  writesSince,
  estimateSince: estimateWrites,
};
