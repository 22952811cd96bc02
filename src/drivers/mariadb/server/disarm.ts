/**
 * Keeps a restored server from acting: its events are off, by the status that MariaDB has for events that another server runs. So they can be told from
 * those that people have switched off, also when the server is captured before anybody has armed it. It follows nobody: what it followed is in no backup.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { scheduleIn } from "../code-objects.ts";
import { type SqlAccess, askSql, runSql, textOf } from "../sql-client.ts";
import { inDatabase } from "../sql-text.ts";
import { type RecordedEvent, writeDisarmRecord } from "./disarm-record.ts";

type Event = Pick<RecordedEvent, "database" | "name">;

/** Nothing but words for people hangs on it: one that the server cannot show keeps no server from being restored. */
const schedulesOf = async (access: SqlAccess, events: readonly Event[]): Promise<readonly string[]> => {
  if (events.length === 0) return [];
  const ask = events.map(({ database, name }) => `SHOW CREATE EVENT ${inDatabase(database, name)};\n`).join("");
  try {
    return (await runSql(access, ask)).map(([row]) => scheduleIn(textOf(row, "Create Event")));
  } catch (error) {
    access.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return [];
  }
};

/** On a server whose scheduler has not run since it was restored, and that nobody else reaches. @param by `run 42` @returns how many are off */
export const disarm = async (
  access: SqlAccess,
  folder: string,
  { by, at }: { readonly by: string; readonly at: Date },
): Promise<number> => {
  const rows = await askSql(
    access,
    `SELECT db, name, status = 'ENABLED' AS ran FROM mysql.event WHERE status IN ('ENABLED', 'SLAVESIDE_DISABLED') ORDER BY db, name;`,
  );
  const events = rows.map((row) => ({
    database: textOf(row, "db"),
    name: textOf(row, "name"),
    ran: textOf(row, "ran") === "1",
  }));
  const schedules = await schedulesOf(access, events);
  await writeDisarmRecord(folder, {
    by,
    at: at.toISOString(),
    events: events.map((event, index) => ({ ...event, schedule: schedules[index] ?? scheduleIn("") })),
    armed: [],
    left: [],
    begun: [],
  });
  await runSql(access, `UPDATE mysql.event SET status = 'SLAVESIDE_DISABLED' WHERE status = 'ENABLED';`);
  return events.length;
};
