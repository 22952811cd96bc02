/**
 * Writes a marker into a cluster's log: a named restore point, and a transaction of nothing but a message behind it, whose commit makes both durable. A role
 * that may make no restore points writes the message alone, which anybody may.
 */
import { escapeLiteral } from "pg";
import type { LogMarker } from "../../core/ports/logs.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import type { Session } from "../../platform/postgres/session.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { withCluster } from "./locations.ts";
import { lineOf } from "./log-line.ts";
import { timelineSql } from "./position.ts";

const insufficientPrivilege = "42501";

/** PostgreSQL cuts longer names off. */
const longestName = 63;

type Written = { readonly lsn: string; readonly at: string };

/** Where the record ends, and the server's time when it was written. */
const writtenSql = (call: string): string =>
  `select ${call}::text as lsn, to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at`;

const makeRestorePoint = async (session: Session, name: string): Promise<Written | null> => {
  try {
    const [row] = await session.query<Written>(writtenSql(`pg_create_restore_point(${escapeLiteral(name)})`));
    return row ?? null;
  } catch (error) {
    if (sqlStateOf(error) !== insufficientPrivilege) throw error;
    return null;
  }
};

/** Committed, so that all before it is on the server's disk; a receiver that is a synchronous standby is not waited for, since commits may be held meanwhile. */
const commitMessage = async (session: Session, name: string): Promise<Written> => {
  await session.query("begin");
  await session.query("set local synchronous_commit = local");
  const [row] = await session.query<Written>(
    writtenSql(`pg_logical_emit_message(true, 'refloat', ${escapeLiteral(name)})`),
  );
  await session.query("commit");
  if (row === undefined) throw new RefloatError("bug", "a query without a condition has no row");
  return row;
};

/** @throws RefloatError source.* */
export const markClusterLog = async (
  context: ClusterContext,
  { name }: { readonly name: string },
): Promise<LogMarker> => {
  if (Buffer.byteLength(name) > longestName) throw new RefloatError("bug", `the marker ${name} is too long`);
  const target = await resolveTarget(context);
  return withCluster(context, target, "source", async (session) => {
    const [server] = await session.query<{ id: string; timeline: number; standby: boolean }>(
      `select system_identifier::text as id, pg_is_in_recovery() as standby,
              case when pg_is_in_recovery() then 0 else ${timelineSql} end as timeline from pg_control_system()`,
    );
    if (server === undefined || server.standby)
      throw new RefloatError("source.unsupported", `${context.component} is a standby, which writes no markers`, {
        hint: "name its primary in url:",
      });
    const restorePoint = await makeRestorePoint(session, name);
    const message = await commitMessage(session, name);
    const { lsn, at } = restorePoint ?? message;
    return {
      line: lineOf(server.id, server.timeline),
      position: lsn,
      at,
      by: restorePoint === null ? "transaction" : "restore-point",
    };
  });
};
