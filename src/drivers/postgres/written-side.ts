/**
 * The side that is asked what was written to it: its sessions, which share one snapshot, its tables, and one scan of all of them.
 * Compares nothing.
 */
import type { WriteLedger } from "../../core/ports/driver.ts";
import { type PostgresOptions, postgresLimits } from "./postgres-options.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { type PositionMark, readMark, readSystemIdentifier } from "./position.ts";
import type { RestoredPosition } from "./instance-mark.ts";
import { openLocations } from "./retired-database.ts";
import { type Scanner, scanTables, type TableScan } from "./scan-tables.ts";
import { readServerVersion } from "../../platform/postgres/server-version.ts";
import { inTransaction, type Session } from "../../platform/postgres/session.ts";
import { floorSince, predicateSince } from "./written-predicate.ts";
import type { WrittenPredicate } from "../../platform/postgres/written-rows.ts";
import { readWrittenTables, type WrittenTable } from "./written-tables.ts";

export type WritesRequest = Parameters<WriteLedger<PostgresOptions>["writesSince"]>[1];

export type WrittenSide = {
  readonly session: Session;
  readonly since: PositionMark;
  readonly mark: Pick<PositionMark, "systemIdentifier" | "databaseOid">;
  /** What the predicate is made of. */
  readonly floor: RestoredPosition;
  readonly predicate: WrittenPredicate;
  /** Does the server remember when transactions were committed? */
  readonly commitTimes: boolean;
  readonly tables: readonly WrittenTable[];
  readonly exportTo: string | undefined;
  /** One look at every row, by all sessions. */
  readonly scan: () => Promise<ScanOf>;
};

export type ScanOf = (table: WrittenTable) => TableScan;

/** Both sides must write values in the same way, and no policy may hide rows. Compiling a scan takes longer than it saves. */
export const compareSettings = `
  set search_path = '';
  set row_security = off;
  set datestyle = iso;
  set intervalstyle = postgres;
  set extra_float_digits = 3;
  set bytea_output = hex;
  set timezone = 'UTC';
  set jit = off`;

const snapshotMode = "isolation level repeatable read read only";

/** A live side has its users to serve; a closed one keeps everybody waiting. */
const liveSessions = 2;

/** With fewer, opening another session takes longer than it saves. */
const rowsPerSession = 3_000_000;

const countSessions = (context: PostgresContext, request: WritesRequest): number => {
  const { jobs } = postgresLimits(context.options);
  const { rows } = readMark(request.since);
  const most = request.location === null ? Math.min(jobs, liveSessions) : jobs;
  if (rows === undefined) return most;
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  return Math.min(most, Math.max(1, Math.ceil(total / rowsPerSession)));
};

const examine = async (session: Session, request: WritesRequest): Promise<Omit<WrittenSide, "scan">> => {
  const since = readMark(request.since);
  const [database] = await session.query<{ oid: string; commits: boolean }>(
    "select oid::text as oid, current_setting('track_commit_timestamp')::bool as commits from pg_database where datname = current_database()",
  );
  const mark = { systemIdentifier: await readSystemIdentifier(session), databaseOid: database?.oid ?? "" };
  const floor = await floorSince(session, since);
  return {
    session,
    since,
    mark,
    floor,
    predicate: await predicateSince(session, floor, mark),
    commitTimes: database?.commits ?? false,
    tables: await readWrittenTables(session),
    exportTo: request.exportTo,
  };
};

/** Runs `act` while every session is in a read only transaction with the first one's snapshot. */
const inOneSnapshot = async <Result>(
  [first, ...others]: readonly [Session, ...Session[]],
  act: () => Promise<Result>,
): Promise<Result> =>
  inTransaction(first, snapshotMode, async () => {
    const [exported] = await first.query<{ id: string }>("select pg_export_snapshot() as id");
    const nest = ([next, ...rest]: readonly Session[]): Promise<Result> =>
      next === undefined
        ? act()
        : inTransaction(next, `${snapshotMode}; set transaction snapshot '${exported?.id ?? ""}'`, () => nest(rest));
    return nest(others);
  });

const scan = async (
  context: PostgresContext,
  { session, floor, mark, predicate, tables }: Omit<WrittenSide, "scan">,
  others: readonly Session[],
): Promise<ScanOf> => {
  const { major } = await readServerVersion(session);
  const scanners = await Promise.all(
    others.map(async (one): Promise<Scanner> => ({ session: one, predicate: await predicateSince(one, floor, mark) })),
  );
  const scans = await scanTables([{ session, predicate }, ...scanners], tables, {
    serverMajor: major,
    signal: context.signal,
  });
  return ({ oid }) => scans.get(oid) ?? { rows: 0, written: 0, place: null };
};

export const withWrittenSide = async <Result>(
  context: PostgresContext,
  request: WritesRequest,
  act: (side: WrittenSide) => Promise<Result>,
): Promise<Result> => {
  const sessions = await openLocations(context, request.location, countSessions(context, request));
  try {
    const [session, ...others] = sessions;
    if (session === undefined) throw new Error("no session was opened");
    await Promise.all(sessions.map((one) => one.query(compareSettings)));
    return await inOneSnapshot([session, ...others], async () => {
      const examined = await examine(session, request);
      return act({ ...examined, scan: () => scan(context, examined, others) });
    });
  } finally {
    await Promise.all(sessions.map((one) => one.close()));
  }
};
