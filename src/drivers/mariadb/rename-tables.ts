/** The one statement by which a switch happens, and the sessions that are in its way. */
import { RefloatError } from "../../model/refloat-error.ts";
import { standStillSql } from "./code-objects.ts";
import { markerName } from "./marker-table.ts";
import type { MariadbContext } from "./mariadb-options.ts";
import { errorNumberOf } from "./server-errors.ts";
import { listTables } from "./source-tables.ts";
import { type SqlAccess, askSql, runSql, textOf } from "./sql-client.ts";
import { inDatabase, quoteText } from "./sql-text.ts";
import type { Side, Sides } from "./switch-sides.ts";

export type SwitchNames = { readonly stable: string; readonly incoming: string; readonly outgoing: string };

const evictIntervalMs = 20;
const lockWaitSeconds = 5;
/** No such thread: it has gone by itself. */
const gone = 1094;

/** Ends the sessions of the two databases again and again until told to stop; a pool connects again at once. */
const evictSessions = async (
  { clock }: MariadbContext,
  access: SqlAccess,
  { stable, incoming }: SwitchNames,
  until: AbortSignal,
): Promise<void> => {
  while (!until.aborted) {
    const rows = await askSql(
      access,
      `SELECT ID AS id FROM information_schema.PROCESSLIST
        WHERE DB IN (${quoteText(stable)}, ${quoteText(incoming)}) AND ID <> CONNECTION_ID()
          AND USER NOT IN ('system user', 'event_scheduler');`,
    );
    for (const row of rows) {
      await runSql(access, `KILL CONNECTION ${textOf(row, "id")};`).catch((error: unknown) => {
        if (errorNumberOf(error) !== gone) throw error;
      });
    }
    await clock.sleep(evictIntervalMs, until).catch(() => undefined);
  }
};

const lockTimeout = 1205;
const otherTables = new Set([1017, 1050, 1146]);

const renameError = (error: unknown, names: SwitchNames, evicting: unknown): unknown => {
  const number = errorNumberOf(error);
  if (number === lockTimeout) {
    const why = evicting instanceof RefloatError ? `: ${evicting.message}` : "";
    return new RefloatError(
      "cutover.refused",
      `sessions hold tables of ${names.stable} or ${names.incoming} and could not be ended${why}`,
      {
        cause: error,
        hint: "CONNECTION ADMIN ends the sessions of others; one of another database, or a prepared XA transaction, may hold them too: SHOW PROCESSLIST; XA RECOVER;",
        state: "nothing was renamed",
      },
    );
  }
  if (number === null || !otherTables.has(number)) return error;
  return new RefloatError(
    "cutover.conflict",
    `the tables of ${names.stable} or ${names.incoming} are not those that were seen before`,
    { cause: error, hint: "somebody renamed, made or dropped one meanwhile", state: "nothing was renamed" },
  );
};

const moves = async (access: SqlAccess, side: Side | null, from: string, to: string): Promise<readonly string[]> => {
  if (side === null) return [];
  const tables = (await listTables(access, from)).filter(({ type }) => type !== "view").map(({ name }) => name);
  return [markerName(side.id), ...tables].map((name) => `${inDatabase(from, name)} TO ${inDatabase(to, name)}`);
};

/**
 * Triggers are dropped, since no table with one can be moved into another database; then all tables are renamed at once.
 * @returns how long the triggers were gone and the tables were waited for
 * @throws RefloatError cutover.refused, cutover.conflict; then no table was renamed
 */
export const renameTables = async (
  context: MariadbContext,
  access: SqlAccess,
  names: SwitchNames,
  { old, fresh }: Sides,
): Promise<number> => {
  const { clock } = context;
  const all = [
    ...(await moves(access, old, names.stable, names.outgoing)),
    ...(await moves(access, fresh, names.incoming, names.stable)),
  ];
  const still = [
    old === null ? "" : standStillSql(names.stable, old.kept),
    fresh === null ? "" : standStillSql(names.incoming, fresh.kept),
  ].join("");
  const beganMs = clock.monotonicMs();
  const renamed = new AbortController();
  let evictingFailed: unknown;
  const evicting = evictSessions(context, access, names, renamed.signal).catch((error: unknown) => {
    // Perhaps nobody is in the way; if somebody is, this is why.
    evictingFailed = error;
  });
  try {
    await runSql(
      access,
      `SET SESSION lock_wait_timeout = ${lockWaitSeconds};\n${still}RENAME TABLE ${all.join(", ")};`,
    );
    return clock.monotonicMs() - beganMs;
  } catch (error) {
    throw renameError(error, names, evictingFailed);
  } finally {
    renamed.abort();
    await evicting;
  }
};
