/** What a database has that was written after a position: exact where rows have a key, said where they have none. */
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import { type Comparison, type TableWrites, compareTable, countWritten } from "./compare-table.ts";
import { estimateWrites } from "./estimate-writes.ts";
import { describeOrigin, parseComment, readDatabaseState } from "./instance-mark.ts";
import { largeObjectsUnit } from "./captured-detail.ts";
import type { PostgresContext } from "./postgres-context.ts";
import type { PostgresOptions } from "./postgres-options.ts";
import { makePosition, type PositionMark, readCounters, readMark, readSystemIdentifier, takeMark } from "./position.ts";
import { openLocation } from "./retired-database.ts";
import { inTransaction, type Session } from "./session.ts";
import { predicateSince } from "./written-predicate.ts";
import { readWrittenTables, type WrittenTable } from "./written-tables.ts";

type Unit = WriteReport["units"][number];
type Request = Parameters<WriteLedger<PostgresOptions>["writesSince"]>[1];

/** Above this, counting all rows of both sides to find out how many were deleted would take too long. */
const countableBytes = 2 * 1024 ** 3;

/** Both sides must write values in the same way, and no policy may hide rows. */
const compareSettings = `
  set search_path = '';
  set row_security = off;
  set datestyle = iso;
  set intervalstyle = postgres;
  set extra_float_digits = 3;
  set bytea_output = hex;
  set timezone = 'UTC'`;

const readOnlySnapshot = "isolation level repeatable read read only";

type Here = Comparison & {
  readonly since: PositionMark;
  readonly mark: Pick<PositionMark, "systemIdentifier" | "databaseOid">;
  readonly counters: Readonly<Record<string, readonly [number, number, number]>>;
};

const lookHere = async (here: Session, request: Request): Promise<Here> => {
  const since = readMark(request.since);
  const [database] = await here.query<{ oid: string; commits: boolean }>(
    "select oid::text as oid, current_setting('track_commit_timestamp')::bool as commits from pg_database where datname = current_database()",
  );
  const mark = { systemIdentifier: await readSystemIdentifier(here), databaseOid: database?.oid ?? "" };
  return {
    here,
    since,
    mark,
    predicate: await predicateSince(here, since, mark),
    commitTimes: database?.commits ?? false,
    exportTo: request.exportTo,
    counters: await readCounters(here),
  };
};

/** What the server's statistics say was done to a table since; null when they do not reach back. */
const countedSince = (
  oid: string,
  { since, mark, counters }: Here,
): { readonly inserted: number; readonly updated: number; readonly deleted: number } | null => {
  if (since.counters === undefined || since.databaseOid !== mark.databaseOid) return null;
  const then = since.counters[oid] ?? ([0, 0, 0] as const);
  const now = counters[oid];
  if (now === undefined) return null;
  const [inserted, updated, deleted] = [now[0] - then[0], now[1] - then[1], now[2] - then[2]];
  // Statistics are forgotten after a crash of the server.
  return inserted < 0 || updated < 0 || deleted < 0 ? null : { inserted, updated, deleted };
};

const countRows = async (session: Session, table: WrittenTable): Promise<number> => {
  const [row] = await session.query<{ rows: number }>(`select count(*)::float8 as rows from ${table.from}`);
  return row?.rows ?? 0;
};

type Found = { readonly unit: Unit; readonly lastWriteAt: string | null; readonly gaps: readonly string[] };

const found = (table: WrittenTable, writes: TableWrites, removed: number, gaps: readonly string[]): Found => {
  const { lastWriteAt, ...counts } = writes;
  return { unit: { name: table.label, ...counts, removed }, lastWriteAt, gaps };
};

/** Without a side to compare with, new and changed rows look alike; the statistics tell them apart as well as they can. */
const lookAlone = async (table: WrittenTable, here: Here): Promise<Found> => {
  const writes = await countWritten(table, here);
  const counted = countedSince(table.oid, here);
  if (counted === null) return found(table, writes, 0, []);
  const changed = counted.updated === 0 ? 0 : Math.max(0, writes.added - counted.inserted);
  const gaps =
    counted.updated > 0 && writes.added > 0
      ? [`${table.label}: new and changed rows are told apart by the server's statistics only`]
      : [];
  const removedGap =
    counted.deleted > 0 ? [`${table.label}: deleted rows are counted by the server's statistics only`] : [];
  const split = { ...writes, added: writes.added - changed, changed };
  return found(table, split, counted.deleted, [...gaps, ...removedGap]);
};

/** Keys of the other side that are gone from here: all keys there, less those that are on both sides. */
const countRemoved = async (
  table: WrittenTable,
  other: WrittenTable,
  added: number,
  here: Here,
  there: Session,
): Promise<{ readonly removed: number; readonly gaps: readonly string[] }> => {
  if (table.sizeBytes <= countableBytes && other.sizeBytes <= countableBytes) {
    const kept = (await countRows(here.here, table)) - added;
    return { removed: Math.max(0, (await countRows(there, other)) - kept), gaps: [] };
  }
  const counted = countedSince(table.oid, here);
  if (counted?.deleted === 0) return { removed: 0, gaps: [] };
  return { removed: 0, gaps: [`${table.label} is too large to look for deleted rows`] };
};

const compareOne = async (
  table: WrittenTable,
  other: WrittenTable | undefined,
  here: Here,
  there: Session,
  isCopy: boolean,
): Promise<Found> => {
  if (here.since.excluded?.includes(table.label) === true) {
    const nothing = { added: 0, changed: 0, lastWriteAt: null };
    return found(table, nothing, 0, [`${table.label}: its rows were left out of the point, as declared`]);
  }
  if (other === undefined) return found(table, await countWritten(table, here), 0, []);
  const comparable = table.key.length > 0 && table.key.every((name) => other.columns.some((c) => c.name === name));
  if (!comparable) {
    const why = `${table.label} has no primary key`;
    if (here.predicate === null) {
      const nothing = { added: 0, changed: 0, lastWriteAt: null };
      return found(table, nothing, 0, [`${why} and could not be compared`]);
    }
    const writes = await countWritten(table, here);
    return found(table, writes, 0, [`${why}: changed rows count as added, deleted ones are not seen`]);
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

const compareSides = async (here: Here, there: Session): Promise<readonly Found[]> => {
  const tables = await readWrittenTables(here.here);
  const others = new Map((await readWrittenTables(there)).map((table) => [table.label, table]));
  const isCopy = await isCopyOf(there, here.since);
  const all: Found[] = [];
  for (const table of tables) {
    all.push(await compareOne(table, others.get(table.label), here, there, isCopy));
    others.delete(table.label);
  }
  for (const table of isCopy ? others.values() : []) {
    const rows = await countRows(there, table);
    all.push(found(table, { added: 0, changed: 0, lastWriteAt: null }, rows, [`${table.label} was dropped`]));
  }
  const blobs = await compareBlobs(here.here, there);
  return blobs === null ? all : [...all, blobs];
};

const describe = (all: readonly Found[]): WriteReport => {
  const units = all.map(({ unit }) => unit).filter(({ added, changed, removed }) => added + changed + removed > 0);
  const times = all.flatMap(({ lastWriteAt }) => (lastWriteAt === null ? [] : [lastWriteAt])).sort();
  return { lastWriteAt: times.at(-1) ?? null, units, gaps: all.flatMap(({ gaps }) => gaps) };
};

const writesSince = async (context: PostgresContext, request: Request): Promise<WriteReport> => {
  const hereSession = await openLocation(context, request.location);
  try {
    await hereSession.query(compareSettings);
    return await inTransaction(hereSession, readOnlySnapshot, async () => {
      const here = await lookHere(hereSession, request);
      if (request.against === undefined) {
        const all: Found[] = [];
        for (const table of await readWrittenTables(hereSession)) all.push(await lookAlone(table, here));
        return describe(all);
      }
      const there = await openLocation(context, request.against);
      try {
        await there.query(compareSettings);
        return describe(await compareSides(here, there));
      } finally {
        await there.close();
      }
    });
  } finally {
    await hereSession.close();
  }
};

export const postgresWrites: WriteLedger<PostgresOptions> = {
  position: async (context, location) => {
    const session = await openLocation(context, location);
    try {
      const takenAt = context.clock.now();
      return await inTransaction(session, readOnlySnapshot, async () => makePosition(takenAt, await takeMark(session)));
    } finally {
      await session.close();
    }
  },
  writesSince,
  estimateSince: estimateWrites,
};
