/** A connection beside the databases that are created, renamed and dropped: none of that works from within them. */
import { type ConnectionTarget, resolveTarget } from "../../platform/postgres/connection-target.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { type ServerRole, sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { type Session, openSession } from "../../platform/postgres/session.ts";

const maintenanceDatabases = ["postgres", "template1"];

const noSuchDatabase = "3D000";

export const openControlSession = async (
  context: Pick<PostgresContext, "marker" | "signal">,
  target: ConnectionTarget,
  role: ServerRole,
): Promise<Session> => {
  let missing: unknown;
  for (const database of maintenanceDatabases) {
    try {
      return await openSession({ target, database, role, marker: context.marker, signal: context.signal });
    } catch (error) {
      if (sqlStateOf(error) !== noSuchDatabase) throw error;
      missing = error;
    }
  }
  throw missing;
};

export const withControlSession = async <Result>(
  context: PostgresContext,
  role: ServerRole,
  act: (session: Session, target: ConnectionTarget) => Promise<Result>,
): Promise<Result> => {
  const target = await resolveTarget(context);
  const session = await openControlSession(context, target, role);
  try {
    return await act(session, target);
  } finally {
    await session.close();
  }
};
