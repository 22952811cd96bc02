/**
 * Where a cluster stood: the position in its log, and how many rows its server has counted as written in each database. The counts are
 * those of the server's statistics, which a crash takes away: evidence for people, told with that doubt.
 */
import { z } from "zod";
import type { Position } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Session, type SessionOptions, withSession } from "../../platform/postgres/session.ts";

const countersSchema = z.tuple([z.number(), z.number(), z.number()]);

const markSchema = z.object({
  systemIdentifier: z.string(),
  timeline: z.int(),
  lsn: z.string(),
  /** Database to rows inserted, updated and deleted in tables of users; `null` where it could not be asked. */
  counters: z.record(z.string(), countersSchema.nullable()).nullable(),
  /** Database to changes of definitions, roles and the like, by the same statistics. */
  definitions: z.record(z.string(), z.number()).nullable(),
  /** Database to when its counts began anew, and `""` to when all of the server's did, as after a crash. */
  countedSince: z.record(z.string(), z.string().nullable()).nullable().default(null),
  /** The next transaction's id, with its epoch: it moves with whatever is written, counted or not. */
  nextTransaction: z.string().nullable().default(null),
  /** No row of the position has this transaction's id or a higher one, but for rows of transactions that were running then; with its epoch. Null where it was not noted. */
  firstAfter: z.string().nullable().default(null),
  /** A cluster that was not shut down may have written beyond `lsn`. */
  isLogEnd: z.boolean().default(true),
});
export type PositionMark = z.infer<typeof markSchema>;

export const readMark = (position: Position): PositionMark => markSchema.parse(position.mark);

export const makePosition = (takenAt: Date, mark: PositionMark): Position => ({
  takenAt: takenAt.toISOString(),
  mark: toJsonObject(mark),
});

/** The control file knows it only after the next checkpoint; the names of log files begin with it. */
export const timelineSql = "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int";

/** What the server itself writes into catalogs, of its own accord. */
const countersSql = `
  select coalesce(sum(n_tup_ins) filter (where user_table), 0)::float8 as inserted,
         coalesce(sum(n_tup_upd) filter (where user_table), 0)::float8 as updated,
         coalesce(sum(n_tup_del) filter (where user_table), 0)::float8 as deleted,
         coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del) filter (where not user_table), 0)::float8 as definitions
    from (select n_tup_ins, n_tup_upd, n_tup_del,
                 schemaname not in ('pg_catalog', 'information_schema') and schemaname !~ '^pg_toast' as user_table
            from pg_stat_all_tables
           where schemaname !~ '^pg_temp' and schemaname !~ '^pg_toast'
             and (schemaname <> 'pg_catalog' or relname not in ('pg_statistic', 'pg_statistic_ext_data'))) tables`;

type CountersRow = {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly definitions: number;
};

/** In seconds, which no time zone of a session changes. */
const countedSinceSql = `
  select datname as name, extract(epoch from stats_reset)::text as since from pg_stat_database where datname is not null
   union all
  select '', extract(epoch from stats_reset)::text from pg_stat_wal`;

/** More than these would take longer to ask than anybody waits for a plan. */
const databasesAsked = 100;

/** @param asked how the session was opened: other databases of the server are asked the same way */
export const takeMark = async (session: Session, asked: SessionOptions): Promise<PositionMark> => {
  const [row] = await session.query<{ id: string; timeline: number; lsn: string; next: string }>(
    `select system_identifier::text as id, ${timelineSql} as timeline, pg_current_wal_insert_lsn()::text as lsn,
            pg_snapshot_xmax(pg_current_snapshot())::text as next
       from pg_control_system()`,
  );
  if (row === undefined) throw new RefloatError("bug", "a query without a condition has no row");
  const since = await session.query<{ name: string; since: string | null }>(countedSinceSql);
  const databases = await session.query<{ name: string }>(
    "select datname as name from pg_database where datallowconn and not datistemplate order by datname",
  );
  const counters: Record<string, [number, number, number] | null> = {};
  const definitions: Record<string, number> = {};
  for (const { name } of databases.slice(0, databasesAsked)) {
    const found = await countIn(session, asked, name);
    counters[name] = found === null ? null : [found.inserted, found.updated, found.deleted];
    if (found !== null) definitions[name] = found.definitions;
  }
  for (const { name } of databases.slice(databasesAsked)) counters[name] = null;
  return {
    systemIdentifier: row.id,
    timeline: row.timeline,
    lsn: row.lsn,
    counters,
    definitions,
    countedSince: Object.fromEntries(since.map((one) => [one.name, one.since])),
    nextTransaction: row.next,
    firstAfter: null,
    isLogEnd: true,
  };
};

/** Of the oldest transaction that runs, prepared ones included. */
export const oldestRunning = async (session: Session): Promise<string | null> => {
  const [row] = await session.query<{ id: string }>("select pg_snapshot_xmin(pg_current_snapshot())::text as id");
  return row?.id ?? null;
};

const countIn = async (session: Session, asked: SessionOptions, database: string): Promise<CountersRow | null> => {
  if (database === session.target.database) return (await session.query<CountersRow>(countersSql))[0] ?? null;
  try {
    return await withSession(
      { ...asked, database },
      async (other) => (await other.query<CountersRow>(countersSql))[0] ?? null,
    );
  } catch (error) {
    asked.signal.throwIfAborted();
    // A database that lets nobody in, or not us, is one that cannot be counted: `null` says so.
    if (error instanceof RefloatError) return null;
    throw error;
  }
};
