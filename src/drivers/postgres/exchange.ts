/**
 * Switching a database's stable name: both renames in one transaction, so that there is always exactly one database behind it, and
 * a killed client leaves everything as it was. The recipe: take the lock first (new connections then wait instead of failing), end
 * the old sessions while the lock is being waited for, rename, close the old side, commit.
 */
import type { Exchange, ExchangeObservation, Identity, SwitchOperations } from "../../core/ports/driver.ts";
import type { Clock } from "../../core/ports/environment.ts";
import type { Position } from "../../model/facts.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ConnectionTarget } from "../../platform/postgres/connection-target.ts";
import { openControlSession, withControlSession } from "./control-session.ts";
import { readDatabaseState } from "./instance-mark.ts";
import { isDerivedName, quoteName } from "./instance-names.ts";
import type { PostgresContext } from "./postgres-context.ts";
import type { PostgresOptions } from "./postgres-options.ts";
import { makePosition, takeInstant } from "./position.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { inTransaction, type Session } from "../../platform/postgres/session.ts";
import { settleScheduler } from "./settle-scheduler.ts";
import { settleSequences } from "./settle.ts";

type Names = Exchange & { readonly stable: string };

const identity = (oid: string): Identity => `oid:${oid}`;

const observeNames = async (session: Session, names: Names): Promise<ExchangeObservation> => {
  const rows = await session.query<{ name: string; oid: string }>(
    "select datname as name, oid::text as oid from pg_database where datname = any($1)",
    [[names.stable, names.incoming, names.outgoing]],
  );
  const oids = new Map(rows.map(({ name, oid }) => [name, identity(oid)]));
  const find = (name: string): Identity => oids.get(name) ?? null;
  return { stable: find(names.stable), incoming: find(names.incoming), outgoing: find(names.outgoing) };
};

/** Each row is one reason why the server would refuse or what would break behind the rename. */
const hindrancesSql = `
  select d.datname as database, r.reason
    from pg_database d
    cross join lateral (
      select 'is a template' as reason where d.datistemplate
      union all select 'has prepared transactions' where exists (select from pg_prepared_xacts where database = d.datname)
      union all select 'has logical replication slots'
                 where exists (select from pg_replication_slots where slot_type = 'logical' and database = d.datname)
      union all select 'has subscriptions' where exists (select from pg_subscription where subdbid = d.oid)) r
   where d.datname = any($1)`;

const refuseHindrances = async (session: Session, names: Names): Promise<void> => {
  const rows = await session.query<{ database: string; reason: string }>(hindrancesSql, [
    [names.stable, names.incoming],
  ]);
  const [first] = rows;
  if (first === undefined) return;
  const all = rows.map(({ database, reason }) => `${database} ${reason}`).join("; ");
  throw new RefloatError("cutover.refused", `the database cannot be renamed: ${all}`, {
    hint: "finish or roll back what is prepared, drop the slots and subscriptions, then resume",
    context: { database: first.database },
  });
};

const conflict = (names: Names, expected: ExchangeObservation, found: ExchangeObservation): RefloatError => {
  const describe = (seen: ExchangeObservation): string =>
    `${names.stable}=${seen.stable ?? "none"} ${names.incoming}=${seen.incoming ?? "none"} ${names.outgoing}=${seen.outgoing ?? "none"}`;
  return new RefloatError("cutover.conflict", `the databases are not as they were seen before: ${describe(found)}`, {
    hint: `expected ${describe(expected)}; somebody renamed or dropped one meanwhile`,
    state: "nothing was renamed",
  });
};

const nameTaken = (outgoing: string): RefloatError =>
  new RefloatError(
    "cutover.conflict",
    `there is a database "${outgoing}" already, which is to be the name of the old side`,
    {
      hint: "rename it by hand if somebody needs it, drop it if nobody does",
      state: "nothing was renamed",
    },
  );

const same = (a: ExchangeObservation, b: ExchangeObservation): boolean =>
  a.stable === b.stable && a.incoming === b.incoming && a.outgoing === b.outgoing;

const evictIntervalMs = 5;

/**
 * Ends every client's session of the two databases again and again until the lock is held; a pool reconnects at once. Autovacuum's
 * workers are the server's own: only a superuser may end them, and the rename itself sends them away. The launcher of pg_cron stays until it is ended, by
 * a superuser, and comes back to whatever bears the name then.
 */
const evictSessions = async (
  context: PostgresContext,
  session: Session,
  databases: readonly string[],
  until: AbortSignal,
): Promise<void> => {
  while (!until.aborted) {
    await session.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = any($1) and pid <> pg_backend_pid()
          and (backend_type = 'client backend'
               or backend_type = 'pg_cron launcher' and (select rolsuper from pg_roles where rolname = current_user))`,
      [databases],
    );
    await context.clock.sleep(evictIntervalMs, until).catch(() => undefined);
  }
};

/** The server waits a few seconds for sessions and locks of others to go, then refuses. */
const refusedByServer = (error: unknown, names: Names): unknown => {
  const refuse = (message: string, hint: string): RefloatError =>
    new RefloatError("cutover.refused", message, { cause: error, hint, state: "nothing was renamed" });
  switch (sqlStateOf(error)) {
    case "55006":
      return refuse(
        `sessions hold on to ${names.stable} or ${names.incoming} and could not be ended`,
        "a superuser's session needs a superuser to end it; pg_signal_backend is enough for all others",
      );
    case "55P03":
      return refuse(
        `another session has ${names.stable} or ${names.incoming} locked`,
        "an ALTER DATABASE, a backup or another cutover is going on; end it, then resume",
      );
    case undefined:
    default:
      return error;
  }
};

const renameBoth = async (
  session: Session,
  names: Names,
  expected: ExchangeObservation,
  clock: Clock,
): Promise<Position | null> => {
  const incoming = expected.incoming === null ? null : await readDatabaseState(session, names.incoming);
  if (incoming?.open === false) {
    // The side that was closed when it was switched out comes back: it must let its clients in again.
    await session.query(`alter database ${quoteName(names.incoming)} allow_connections true`);
  }
  let position: Position | null = null;
  if (expected.stable !== null) {
    await session.query(`alter database ${quoteName(names.stable)} rename to ${quoteName(names.outgoing)}`);
  }
  if (expected.incoming !== null) {
    await session.query(`alter database ${quoteName(names.incoming)} rename to ${quoteName(names.stable)}`);
  }
  if (expected.stable !== null) {
    await session.query(`alter database ${quoteName(names.outgoing)} allow_connections false`);
    position = makePosition(clock.now(), await takeInstant(session, names.outgoing));
  }
  // The lock is on names as they are now; what they stood for when they were read is proven only here.
  const after = await observeNames(session, names);
  if (!same(after, { stable: expected.incoming, incoming: null, outgoing: expected.stable })) {
    throw conflict(names, expected, after);
  }
  return position;
};

const exchangeDatabases = async (
  context: PostgresContext,
  exchange: Exchange,
  expected: ExchangeObservation,
): Promise<{ readonly heldMs: number; readonly position: Position | null; readonly outgoing: string }> =>
  withControlSession(context, "target", async (session, target) => {
    const names: Names = { ...exchange, stable: target.database };
    const found = await observeNames(session, names);
    if (expected.outgoing !== null) throw nameTaken(names.outgoing);
    const possible = (expected.incoming ?? expected.stable) !== null;
    if (!possible || !same(found, expected)) throw conflict(names, expected, found);
    await refuseHindrances(session, names);
    const evictor = await openControlSession(context, target, "target");
    const renamed = new AbortController();
    // While we hold the name everybody waits: the server gives up on us after these.
    await session.query("set idle_in_transaction_session_timeout = '5s'");
    await session.query("set lock_timeout = '5s'");
    await session.query("set synchronous_commit = on");
    const beganMs = context.clock.monotonicMs();
    const evicting = evictSessions(context, evictor, [names.stable, names.incoming], renamed.signal);
    try {
      const position = await Promise.race([
        inTransaction(session, "", () => renameBoth(session, names, expected, context.clock)),
        // Rejects if sessions cannot be ended; otherwise it goes on until the renames are done.
        evicting.then(() => new Promise<never>(() => undefined)),
      ]);
      return { heldMs: context.clock.monotonicMs() - beganMs, position, outgoing: names.outgoing };
    } catch (error) {
      throw refusedByServer(error, names);
    } finally {
      renamed.abort();
      await evicting.catch(() => undefined);
      await evictor.close();
    }
  });

const discardDatabase = async (session: Session, target: ConnectionTarget, outgoing: string): Promise<void> => {
  if (outgoing === target.database || !isDerivedName(target.database, outgoing)) {
    throw new RefloatError("cutover.refused", `"${outgoing}" is no old side of ${target.database}; it is not dropped`);
  }
  await session.query(`drop database if exists ${quoteName(outgoing)} with (force)`);
};

export const postgresSwitching: SwitchOperations<PostgresOptions> = {
  observe: (context, exchange) =>
    withControlSession(context, "target", async (session, target) => {
      const names: Names = { ...exchange, stable: target.database };
      const found = await observeNames(session, names);
      await refuseHindrances(session, names);
      return found;
    }),
  exchange: exchangeDatabases,
  settle: async (context, outgoing) => [
    ...(await settleSequences(context, outgoing)),
    ...(await settleScheduler(context, outgoing)),
  ],
  discard: (context, outgoing) =>
    withControlSession(context, "target", (session, target) => discardDatabase(session, target, outgoing)),
};
