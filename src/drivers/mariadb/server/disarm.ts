/**
 * Keeps a restored server from acting: its events are off, by the status that MariaDB has for events that another server runs. So they can be told from
 * those that people have switched off, also when the server is captured before anybody has armed it. It follows nobody: what it followed is in no backup.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { pathExists } from "../../../platform/tree-files.ts";
import { type SqlAccess, askSql, runSql, textOf } from "../sql-client.ts";
import { quoteName } from "../sql-text.ts";

/** In the data folder, for after the switch: the user of the url may not be allowed to look. */
const keptName = "refloat-disarmed.json";

const keptSchema = z.object({ events: z.array(z.string()) });

const off = "SLAVESIDE_DISABLED";

/** `shop@%`, as an account is quoted. */
const accountOf = (definer: string): string => {
  const at = definer.lastIndexOf("@");
  return `${quoteName(definer.slice(0, at))}@${quoteName(definer.slice(at + 1))}`;
};

/** On a server whose scheduler has not run since it was restored. @returns the statements that switch the events on again */
export const disarm = async (access: SqlAccess, folder: string): Promise<readonly string[]> => {
  await runSql(access, `UPDATE mysql.event SET status = '${off}' WHERE status = 'ENABLED';`);
  const rows = await askSql(
    access,
    `SELECT db, name, definer FROM mysql.event WHERE status = '${off}' ORDER BY db, name;`,
  );
  const events = rows.map(
    (row) =>
      `ALTER DEFINER = ${accountOf(textOf(row, "definer"))} EVENT ${quoteName(textOf(row, "db"))}.${quoteName(textOf(row, "name"))} ENABLE;`,
  );
  await writeFile(join(folder, keptName), JSON.stringify({ events }), { mode: 0o600 });
  return events;
};

/** What a person is told after the switch. */
export const describeDisarmed = async (folder: string): Promise<readonly string[]> => {
  const path = join(folder, keptName);
  if (!(await pathExists(path))) return [];
  const { events } = keptSchema.parse(JSON.parse(await readFile(path, "utf8")));
  return events.length === 0 ? [] : [`events are off until you switch them on: ${events.join(" ")}`];
};
