/**
 * Reading a database that was closed when it was switched out: opened for the moment that our own connection needs, and closed
 * again before anybody reads a row. Sessions that exist go on in a closed database; new ones are refused.
 */
import { resolveTarget } from "./connection-target.ts";
import { withControlSession } from "./control-session.ts";
import { readDatabaseState } from "./instance-mark.ts";
import { quoteName } from "./instance-names.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { openSession, type Session } from "./session.ts";

const setOpen = (context: PostgresContext, database: string, open: boolean): Promise<void> =>
  withControlSession(context, "target", async (control) => {
    await control.query(`alter database ${quoteName(database)} allow_connections ${String(open)}`);
  });

const isClosed = (context: PostgresContext, database: string): Promise<boolean> =>
  withControlSession(
    context,
    "target",
    async (control) => (await readDatabaseState(control, database))?.open === false,
  );

/**
 * @param location name of the database, or null for what is behind the stable name
 * @param stayClosed close it even if it was open, as after a crash in here
 */
export const openLocation = async (
  context: PostgresContext,
  location: string | null,
  options: { readonly stayClosed?: boolean } = {},
): Promise<Session> => {
  const target = await resolveTarget(context);
  const database = location ?? target.database;
  const { marker, signal } = context;
  const open = () => openSession({ target, database, role: "source", marker, signal });
  if (location === null) return open();
  const closed = await isClosed(context, location);
  if (!closed && options.stayClosed !== true) return open();
  await setOpen(context, location, true);
  try {
    return await open();
  } finally {
    await setOpen(context, location, false);
  }
};
