/**
 * Reading a database that was closed when it was switched out: opened for the moment that our own connections need, and closed
 * again before anybody reads a row. Sessions that exist go on in a closed database; new ones are refused.
 */
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import { withControlSession } from "./control-session.ts";
import { readDatabaseState } from "./instance-mark.ts";
import { quoteName } from "./instance-names.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { openSession, type Session } from "../../platform/postgres/session.ts";

type OpenOptions = {
  /** Close it even if it was open, as after a crash in here. */
  readonly stayClosed?: boolean;
};

/** All or none. */
const openTogether = async (open: () => Promise<Session>, count: number): Promise<readonly Session[]> => {
  const opened = await Promise.allSettled(Array.from({ length: count }, open));
  const sessions = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = opened.find((one) => one.status === "rejected");
  if (failed === undefined) return sessions;
  await Promise.all(sessions.map((session) => session.close()));
  throw failed.reason;
};

/** @param location name of the database, or null for what is behind the stable name */
export const openLocations = async (
  context: PostgresContext,
  location: string | null,
  count: number,
  options: OpenOptions = {},
): Promise<readonly Session[]> => {
  const target = await resolveTarget(context);
  const database = location ?? target.database;
  const { marker, signal } = context;
  const open = () => openTogether(() => openSession({ target, database, role: "source", marker, signal }), count);
  if (location === null) return open();
  return withControlSession(context, "target", async (control) => {
    const closed = (await readDatabaseState(control, location))?.open === false;
    if (!closed && options.stayClosed !== true) return open();
    const setOpen = (isOpen: boolean) =>
      control.query(`alter database ${quoteName(location)} allow_connections ${String(isOpen)}`);
    await setOpen(true);
    try {
      return await open();
    } finally {
      await setOpen(false);
    }
  });
};

export const openLocation = async (
  context: PostgresContext,
  location: string | null,
  options: OpenOptions = {},
): Promise<Session> => {
  const [session] = await openLocations(context, location, 1, options);
  if (session === undefined) throw new Error("no session was opened");
  return session;
};
