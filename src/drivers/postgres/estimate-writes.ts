/** A quick word for a plan on how much would be lost: by the server's statistics, within a second or two, never a scan of all. */
import type { WriteEstimate } from "../../core/ports/driver.ts";
import type { Clock } from "../../core/ports/environment.ts";
import type { Position } from "../../model/facts.ts";
import { type PositionMark, readCounters, readMark, readSystemIdentifier } from "./position.ts";
import type { RestoredPosition } from "./instance-mark.ts";
import { quoteName } from "./instance-names.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { openLocation } from "./retired-database.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { inTransaction, type Session } from "../../platform/postgres/session.ts";
import { floorSince, predicateSince } from "./written-predicate.ts";
import type { WrittenPredicate } from "../../platform/postgres/written-rows.ts";
import { readWrittenTables, type WrittenTable } from "./written-tables.ts";

const unitsShown = 3;
/** For all tables together. */
const scanLimitMs = 1_000;

const instantTypes = /^timestamp(?:\(\d\))? with time zone$/;

type Counters = NonNullable<PositionMark["counters"]>;

/**
 * What the statistics counted up to the position, by table; null when they do not reach back to it. In a database that was restored
 * from the position they began with the restore, which inserted the rows of the point.
 */
const countedBefore = (
  mark: PositionMark,
  floor: RestoredPosition,
  databaseOid: string,
  tables: readonly WrittenTable[],
): Counters | null => {
  if (floor.databaseOid !== databaseOid) return null;
  if (mark.databaseOid === databaseOid) return mark.counters ?? null;
  const { rows } = mark;
  if (rows === undefined) return null;
  return Object.fromEntries<Counters[string]>(
    tables.flatMap(({ parts }) => parts.map(({ oid, label }) => [oid, [rows[label] ?? 0, 0, 0]])),
  );
};

const newestWrite = async (
  session: Session,
  tables: readonly WrittenTable[],
  predicate: WrittenPredicate,
  clock: Clock,
): Promise<string | null> => {
  let newest: string | null = null;
  if (predicate === null) return null;
  const beganMs = clock.monotonicMs();
  await session.query("set local jit = off");
  for (const table of tables) {
    const times = table.columns.filter(({ type }) => instantTypes.test(type)).map(({ name }) => quoteName(name));
    if (times.length === 0) continue;
    const leftMs = Math.max(1, Math.round(scanLimitMs - (clock.monotonicMs() - beganMs)));
    await session.query(`set local statement_timeout = ${leftMs}`);
    const past = times.map((name) => `max(case when ${name} <= now() then ${name} end)`);
    const [row] = await session.query<{ at: string | null }>(
      `select to_char(greatest(${past.join(", ")}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
         from ${table.from} where ${predicate}`,
    );
    if (row?.at != null && (newest === null || row.at > newest)) newest = row.at;
  }
  return newest;
};

const queryCanceled = "57014";

const unlessTooSlow = (error: unknown): null => {
  if (sqlStateOf(error) === queryCanceled) return null;
  throw error;
};

/** @returns null when the statistics do not reach back to the position */
export const estimateWrites = async (context: PostgresContext, since: Position): Promise<WriteEstimate | null> => {
  const session = await openLocation(context, null);
  const mark = readMark(since);
  try {
    return await inTransaction(session, "isolation level repeatable read read only", async () => {
      const [database] = await session.query<{ oid: string }>(
        "select oid::text as oid from pg_database where datname = current_database()",
      );
      const here = { systemIdentifier: await readSystemIdentifier(session), databaseOid: database?.oid ?? "" };
      const tables = await readWrittenTables(session);
      const floor = await floorSince(session, mark);
      const before = countedBefore(mark, floor, here.databaseOid, tables);
      if (before === null) return null;
      const roots = new Map(tables.flatMap((table) => table.parts.map((part) => [part.oid, table] as const)));
      const inserted = new Map<WrittenTable, number>();
      let other = 0;
      for (const [oid, now] of Object.entries(await readCounters(session))) {
        const then = before[oid] ?? [0, 0, 0];
        if (now[0] < then[0] || now[1] < then[1] || now[2] < then[2]) return null;
        const table = roots.get(oid);
        if (table !== undefined) inserted.set(table, (inserted.get(table) ?? 0) + now[0] - then[0]);
        other += now[1] - then[1] + now[2] - then[2];
      }
      const written = [...inserted]
        .flatMap(([table, rows]) => (rows > 0 ? [{ table, rows }] : []))
        .sort((a, b) => b.rows - a.rows);
      const named = written.map(({ table, rows }) => `${rows.toLocaleString("en-US")} ${table.label}`);
      const shown =
        named.length > unitsShown ? [...named.slice(0, unitsShown), `${named.length - unitsShown} more tables`] : named;
      if (other > 0) shown.push(`${other.toLocaleString("en-US")} changed or deleted rows`);
      // As if the last write were just in the point: nothing is lost.
      if (shown.length === 0) return { about: "no rows", lastWriteAt: since.takenAt };
      const predicate = await predicateSince(session, floor, here);
      const newest = await newestWrite(
        session,
        written.map(({ table }) => table),
        predicate,
        context.clock,
      ).catch(unlessTooSlow);
      // Rows that were put back bear the times of before: that they were written since is known, when is not.
      const isLater = newest !== null && Date.parse(newest) > Date.parse(since.takenAt);
      return { about: `about ${shown.join(", ")}`, lastWriteAt: isLater ? newest : null };
    });
  } finally {
    await session.close();
  }
};
