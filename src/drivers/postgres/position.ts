/**
 * Where a database stood at an instant: what tells later which rows were written since. Taken inside the transaction whose
 * snapshot it describes.
 */
import { z } from "zod";
import type { Position } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import type { Session } from "../../platform/postgres/session.ts";

const markSchema = z.object({
  /** Of the cluster; a position of another cluster says nothing about this one's transactions. Null when it may not be read. */
  systemIdentifier: z.string().nullable(),
  databaseOid: z.string(),
  lsn: z.string(),
  /** pg_snapshot as text: `xmin:xmax:xip`. */
  snapshot: z.string(),
  /**
   * No row that was committed before the position has this transaction id or a higher one, except rows of transactions that were
   * running then. Rows below it are in the snapshot.
   */
  floor: z.string(),
  /** `schema.name` to the last value; absent where nothing could be asked of the database itself. */
  sequences: z.record(z.string(), z.string()).optional(),
  /** Table OID to [inserted, updated, deleted] as the server's statistics count them: evidence, not proof. */
  counters: z.record(z.string(), z.tuple([z.number(), z.number(), z.number()])).optional(),
  /** Name of a fact to the rows that a point has of it. */
  rows: z.record(z.string(), z.number()).optional(),
  /** Tables whose rows were left out by declaration: nothing can be told about them. */
  excluded: z.array(z.string()).optional(),
});
export type PositionMark = z.infer<typeof markSchema>;

export const readMark = (position: Position): PositionMark => markSchema.parse(position.mark);

export const makePosition = (takenAt: Date, mark: PositionMark): Position => ({
  takenAt: takenAt.toISOString(),
  mark: toJsonObject(mark),
});

type InstantRow = {
  readonly oid: string;
  readonly lsn: string;
  readonly snapshot: string;
  readonly elsewhere: readonly string[];
};

/**
 * Transactions of other databases cannot have written here, but hold the snapshot's xmin back: they are told apart by the locks
 * that their sessions hold now. One that ended in between counts as ours, which only makes the floor lower.
 */
const instantSql = `
  select d.oid::text as oid, pg_current_wal_lsn()::text as lsn, pg_current_snapshot()::text as snapshot,
         array(select l.transactionid::text
                 from pg_locks l join pg_stat_activity a using (pid)
                where l.locktype = 'transactionid' and l.granted and l.mode = 'ExclusiveLock'
                  and a.datid is distinct from d.oid and a.datid is not null) as elsewhere
    from pg_database d
   where d.datname = $1`;

const low32 = (xid: bigint): string => String(xid & 0xffff_ffffn);

/** @param elsewhere 32-bit transaction ids that belong to other databases */
export const floorOf = (snapshot: string, elsewhere: readonly string[]): bigint => {
  const [, xmax = "0", running = ""] = snapshot.split(":");
  const ours = running
    .split(",")
    .filter((xid) => xid !== "")
    .map(BigInt)
    .filter((xid) => !elsewhere.includes(low32(xid)));
  return ours.reduce((lowest, xid) => (xid < lowest ? xid : lowest), BigInt(xmax));
};

export const readSystemIdentifier = async (session: Session): Promise<string | null> => {
  const [row] = await session.query<{ allowed: boolean }>(
    "select has_function_privilege('pg_control_system()', 'execute') as allowed",
  );
  if (row?.allowed !== true) return null;
  const [control] = await session.query<{ id: string }>(
    "select system_identifier::text as id from pg_control_system()",
  );
  return control?.id ?? null;
};

/** @param database the database meant, which need not be the session's own */
export const takeInstant = async (session: Session, database: string): Promise<PositionMark> => {
  const systemIdentifier = await readSystemIdentifier(session);
  const [row] = await session.query<InstantRow>(instantSql, [database]);
  if (row === undefined) throw session.translate(new Error(`database ${database} is gone`));
  return {
    systemIdentifier,
    databaseOid: row.oid,
    lsn: row.lsn,
    snapshot: row.snapshot,
    floor: String(floorOf(row.snapshot, row.elsewhere)),
  };
};

const sequencesSql = `
  select format('%I.%I', schemaname, sequencename) as name, last_value::text as value
    from pg_sequences where last_value is not null`;

const countersSql = `
  select relid::text as oid, n_tup_ins::float8 as inserted, n_tup_upd::float8 as updated, n_tup_del::float8 as deleted
    from pg_stat_user_tables`;

type CounterRow = {
  readonly oid: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
};

export const readCounters = async (session: Session): Promise<Record<string, [number, number, number]>> =>
  Object.fromEntries(
    (await session.query<CounterRow>(countersSql)).map((row) => [row.oid, [row.inserted, row.updated, row.deleted]]),
  );

/** The position of the session's own database, with its sequences and counters. */
export const takeMark = async (session: Session): Promise<PositionMark> => {
  const instant = await takeInstant(session, session.target.database);
  const sequences = await session.query<{ name: string; value: string }>(sequencesSql);
  return {
    ...instant,
    sequences: Object.fromEntries(sequences.map(({ name, value }) => [name, value])),
    counters: await readCounters(session),
  };
};
