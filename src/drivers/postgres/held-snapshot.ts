/**
 * One exported snapshot and read locks on all tables, held by one connection for as long as a capture lasts. Gives up by itself
 * when others suffer: when a session waits behind our locks (and everybody else behind it), or when the snapshot grows too old.
 */
import type { Clock, Log } from "../../core/ports/environment.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type DatabaseFacts, readDatabaseFacts } from "./database-facts.ts";
import { type PositionMark, takeMark } from "./position.ts";
import { listTables, type Relation, readRelations } from "./relations.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { type Session, type SessionOptions, openSession } from "../../platform/postgres/session.ts";

export type SnapshotLimits = {
  readonly lockTimeoutMs: number;
  readonly yieldAfterMs: number;
  readonly maxAgeMs: number;
};

export type HeldSnapshot = {
  /** For SET TRANSACTION SNAPSHOT and pg_dump --snapshot. */
  readonly id: string;
  /** All that was committed before this moment of our clock is in the snapshot. */
  readonly takenAt: Date;
  readonly mark: PositionMark;
  readonly relations: readonly Relation[];
  readonly database: DatabaseFacts;
  /** Aborts with the reason when the snapshot cannot or should not be held any longer, or when the caller aborts. */
  readonly signal: AbortSignal;
  /** Ends the transaction, and with it the locks. Idempotent. */
  readonly release: () => Promise<void>;
};

const watchIntervalMs = 500;
const tablesPerLock = 500;
const attempts = 3;

/** Tables changed under us between the snapshot and the locks; a fresh snapshot will do. */
class Moved extends Error {}

const undefinedTable = "42P01";

const lockTables = async (session: Session, tables: readonly string[]): Promise<void> => {
  for (let at = 0; at < tables.length; at += tablesPerLock) {
    const names = tables.slice(at, at + tablesPerLock);
    try {
      await session.query(`lock table only ${names.join(", only ")} in access share mode`);
    } catch (error) {
      if (sqlStateOf(error) === undefinedTable) throw new Moved();
      throw error;
    }
  }
};

type Taken = Pick<HeldSnapshot, "id" | "takenAt" | "mark" | "relations" | "database">;

const takeSnapshot = async (session: Session, limits: SnapshotLimits, clock: Clock): Promise<Taken> => {
  const takenAt = clock.now();
  await session.query("begin isolation level repeatable read read only");
  // Not only LOCK waits: to ask for a table's size is to wait for its lock too.
  await session.query(`set local lock_timeout = ${limits.lockTimeoutMs}`);
  const [exported] = await session.query<{ id: string }>("select pg_export_snapshot() as id");
  const mark = await takeMark(session);
  await lockTables(session, await listTables(session));
  // Nothing can change any more.
  const relations = await readRelations(session);
  if (relations.some(({ rewritten }) => rewritten)) throw new Moved();
  await session.query("set local lock_timeout = 0");
  return { id: exported?.id ?? "", takenAt, mark, relations, database: await readDatabaseFacts(session) };
};

const takeSteadySnapshot = async (session: Session, limits: SnapshotLimits, clock: Clock): Promise<Taken> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await takeSnapshot(session, limits, clock);
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      await session.query("rollback");
      if (attempt >= attempts) {
        throw new RefloatError(
          "source.under-pressure",
          `tables were dropped, truncated or rewritten during each of ${attempts} attempts to take a snapshot`,
          { hint: "a migration seems to be going on; capture again when it has ended", cause: error },
        );
      }
    }
  }
};

type Waiter = { readonly pid: number; readonly what: string };

/** Sessions that wait for a lock which ours hold. Within a transaction the list of sessions is that of its first look, unless it is cleared. */
const waitersSql = `
  select pg_stat_clear_snapshot();
  select distinct a.pid, coalesce(left(a.query, 80), '') as what
    from pg_locks l join pg_stat_activity a using (pid)
   where not l.granted and l.locktype = 'relation'
     and l.database = (select oid from pg_database where datname = current_database())
     and pg_blocking_pids(l.pid) && array(
           select pid from pg_stat_activity
            where application_name = current_setting('application_name') and datname = current_database()
              and usename = current_user)`;

type Watch = {
  readonly session: Session;
  readonly limits: SnapshotLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** @returns the reason for giving up; never returns while all is well @throws the signal's reason */
const watchPressure = async ({ session, limits, clock, log, signal }: Watch): Promise<RefloatError> => {
  const beganMs = clock.monotonicMs();
  const waitingSinceMs = new Map<number, number>();
  for (;;) {
    await clock.sleep(watchIntervalMs, signal);
    const nowMs = clock.monotonicMs();
    if (nowMs - beganMs > limits.maxAgeMs) {
      return new RefloatError(
        "source.under-pressure",
        `capture stopped itself: its snapshot is older than ${formatDuration(limits.maxAgeMs)} and keeps vacuum from cleaning up`,
        { hint: "raise maxAge or jobs, or look at what slows the capture down" },
      );
    }
    const waiters = await session.query<Waiter>(waitersSql);
    const present = new Set(waiters.map(({ pid }) => pid));
    for (const pid of waitingSinceMs.keys()) if (!present.has(pid)) waitingSinceMs.delete(pid);
    for (const { pid, what } of waiters) {
      const sinceMs = waitingSinceMs.get(pid) ?? nowMs;
      waitingSinceMs.set(pid, sinceMs);
      if (sinceMs === nowMs) log.warn("a session waits behind the locks of capture", { pid, what });
      if (nowMs - sinceMs >= limits.yieldAfterMs) {
        return new RefloatError(
          "source.under-pressure",
          `capture stopped itself: "${what}" waited ${formatDuration(nowMs - sinceMs)} behind its read locks, and others behind that`,
          { hint: "capture again when the change has been made, or raise yieldAfter" },
        );
      }
    }
  }
};

/** @throws RefloatError source.under-pressure, source.denied, source.unreachable, source.failed */
export const holdSnapshot = async (
  options: Omit<SessionOptions, "role">,
  limits: SnapshotLimits,
  environment: { readonly clock: Clock; readonly log: Log },
): Promise<HeldSnapshot> => {
  const session = await openSession({ ...options, role: "source" });
  try {
    const taken = await takeSteadySnapshot(session, limits, environment.clock);
    const stop = new AbortController();
    const ended = new AbortController();
    const signal = AbortSignal.any([options.signal, stop.signal, session.lost]);
    const watching = watchPressure({ session, limits, ...environment, signal: AbortSignal.any([signal, ended.signal]) })
      .then((reason) => stop.abort(reason))
      .catch((error: unknown) => stop.abort(error));
    const release = async (): Promise<void> => {
      ended.abort();
      await watching;
      await session.close();
    };
    return { ...taken, signal, release };
  } catch (error) {
    await session.close();
    throw error;
  }
};
