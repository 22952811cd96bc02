/**
 * The advisory lock by which an application lets its commits be held: each of its transactions shares it, and who has it alone knows that none is under way.
 * It is had by a transaction that does nothing else, so the server gives it back when the session ends, and ends the session itself when the time is over.
 */
import type { DriverContext, HeldLock, LockOperations, LockRequest } from "../../core/ports/driver.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ConnectionKeys } from "./connection-keys.ts";
import { resolveTarget } from "./connection-target.ts";
import { sqlStateOf } from "./server-errors.ts";
import { type Session, openSession, withSession } from "./session.ts";

type LockContext = DriverContext<ConnectionKeys>;

const lockNotAvailable = "55P03";

const argumentsOf = ({ key }: LockRequest): string =>
  typeof key === "number" ? String(key) : `${key[0]}::int, ${key[1]}::int`;

const sessionOptions = async (context: LockContext, { database }: LockRequest) => {
  const { marker, signal } = context;
  const target = await resolveTarget(context);
  return { target, ...(database === null ? {} : { database }), marker, role: "source" as const, signal };
};

const notInTime = (atMostMs: number, cause?: unknown): RefloatError =>
  new RefloatError(
    "source.under-pressure",
    `the transactions that share the lock were not over within ${formatDuration(atMostMs)}`,
    { cause, hint: "let quiesce.atMost be longer than the longest of them" },
  );

/** Both limits stand before the lock is asked for: whatever becomes of us, the server knows when it is over. */
const takeSql = (request: LockRequest, atMostMs: number): string =>
  `begin;
   set local lock_timeout = ${atMostMs};
   set local idle_in_transaction_session_timeout = ${atMostMs};
   select pg_advisory_xact_lock(${argumentsOf(request)})`;

const take = async (session: Session, request: LockRequest, atMostMs: number): Promise<void> => {
  try {
    await session.query(takeSql(request, atMostMs));
  } catch (error) {
    throw sqlStateOf(error) === lockNotAvailable ? notInTime(atMostMs, error) : error;
  }
};

const hold: LockOperations<ConnectionKeys>["hold"] = async (context, { atMostMs, ...request }): Promise<HeldLock> => {
  const { clock } = context;
  const session = await openSession(await sessionOptions(context, request));
  try {
    const beganMs = clock.monotonicMs();
    await take(session, request, atMostMs);
    const leftMs = Math.floor(atMostMs - (clock.monotonicMs() - beganMs));
    if (leftMs <= 0) throw notInTime(atMostMs);
    await session.query(`set local idle_in_transaction_session_timeout = ${leftMs}`);
  } catch (error) {
    await session.close();
    throw error;
  }
  return {
    lost: session.lost,
    release: async () => {
      const isHeld = await session.query("commit").then(
        () => !session.lost.aborted,
        () => false,
      );
      await session.close();
      return isHeld;
    },
  };
};

const sharedSql = (request: LockRequest): string => {
  const [high, low, sub] =
    typeof request.key === "number"
      ? [`(${request.key}::bigint >> 32) & 4294967295`, `${request.key}::bigint & 4294967295`, 1]
      : [`${request.key[0]}::bigint & 4294967295`, `${request.key[1]}::bigint & 4294967295`, 2];
  return `select count(*)::int as sessions from pg_locks
           where locktype = 'advisory' and granted and mode = 'ShareLock' and objsubid = ${sub}
             and database = (select oid from pg_database where datname = current_database())
             and classid::bigint = ${high} and objid::bigint = ${low}`;
};

const examine: LockOperations<ConnectionKeys>["examine"] = async (context, request) =>
  withSession(await sessionOptions(context, request), async (session) => {
    const [row] = await session.query<{ sessions: number }>(sharedSql(request));
    const sessions = row?.sessions ?? 0;
    const found =
      sessions === 0
        ? "nobody shares it now; every transaction of the application has to"
        : `${formatAmount(sessions, "sessions")} share it now`;
    return {
      findings: [{ ok: true, subject: "lock", found }],
      commands: [],
      recoveryCommands: [],
      grants: [],
    };
  });

export const commitLock: LockOperations<ConnectionKeys> = { hold, examine };
