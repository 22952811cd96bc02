/** Events that the server ran before a recovery: off since then, and made to run again one by one. */
import type { ArmRequest, Arming } from "../../core/ports/arming.ts";
import { formatList } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type MarkerRows, type OffEvent, readDatabases, readMarkerRows, writeMarkerRowsSql } from "./marker-table.ts";
import type { MariadbContext, MariadbOptions } from "./mariadb-options.ts";
import { type SqlAccess, accessOf, askSql, runSql, textOf } from "./sql-client.ts";
import { inDatabase, quoteText } from "./sql-text.ts";

const prefix = "event:";

const itemOf = ({ name }: { readonly name: string }): string => `${prefix}${name}`;

type SeenEvent = {
  readonly name: string;
  readonly isEnabled: boolean;
  /** It has a last time, and that has gone by. */
  readonly isPast: boolean;
};

const readEvents = async (access: SqlAccess, database: string): Promise<readonly SeenEvent[]> => {
  const rows = await askSql(
    access,
    `SELECT EVENT_NAME AS name, STATUS AS status,
            IFNULL(CONVERT_TZ(IFNULL(EXECUTE_AT, ENDS), TIME_ZONE, 'SYSTEM') < CONVERT_TZ(NOW(), @@session.time_zone, 'SYSTEM'), 0) AS past
       FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${quoteText(database)} ORDER BY 1;`,
  );
  return rows.map((row) => ({
    name: textOf(row, "name"),
    isEnabled: textOf(row, "status") === "ENABLED",
    isPast: textOf(row, "past") === "1",
  }));
};

type Marked = {
  readonly database: string;
  readonly id: string;
  readonly rows: MarkerRows;
  /** Those of `rows.off` that are there, and do not run. */
  readonly waiting: readonly (OffEvent & Pick<SeenEvent, "isPast">)[];
};

/** Null of a database that no run has restored. */
const readMarked = async (access: SqlAccess): Promise<Marked | null> => {
  const { database } = access.target;
  const marked = (await readDatabases(access, [database])).get(database)?.marked ?? null;
  if (marked === null) return null;
  const rows = await readMarkerRows(access, database, marked.id);
  const events = rows.off.length === 0 ? [] : await readEvents(access, database);
  const waiting = rows.off.flatMap((one) => {
    const seen = events.find(({ name }) => name === one.name);
    return seen === undefined || seen.isEnabled ? [] : [{ ...one, isPast: seen.isPast }];
  });
  return { database, id: marked.id, rows, waiting };
};

/** Names of events that a recovery has switched off and nobody has armed since; some may be dropped by now. */
export const namesOff = async (access: SqlAccess, database: string): Promise<readonly string[]> => {
  const marked = (await readDatabases(access, [database])).get(database)?.marked ?? null;
  return marked === null ? [] : (await readMarkerRows(access, database, marked.id)).off.map(({ name }) => name);
};

const requireMarked = async (context: MariadbContext, access: SqlAccess, items: readonly string[]): Promise<Marked> => {
  const marked = await readMarked(access);
  const there = marked?.waiting.map(itemOf) ?? [];
  const unknown = items.find((item) => !there.includes(item));
  if (marked !== null && unknown === undefined) return marked;
  throw new RefloatError("usage", `nothing called "${unknown ?? ""}" is off in ${context.component}`, {
    state: "nothing was changed",
    hint: there.length === 0 ? "nothing is off there" : `there is ${formatList(there, 12)}`,
  });
};

/** @throws RefloatError arming.refused */
const refuseActingSide = async (access: SqlAccess, outgoing: string | null): Promise<void> => {
  if (outgoing === null) return;
  const running = (await readEvents(access, outgoing)).filter(({ isEnabled }) => isEnabled);
  if (running.length === 0) return;
  throw new RefloatError(
    "arming.refused",
    `events of the old side run: ${formatList(
      running.map(({ name }) => `${outgoing}.${name}`),
      6,
    )}`,
    {
      state: "nothing was changed",
      hint: "ALTER EVENT ... DISABLE each of them, or drop the old side by refloat commit",
    },
  );
};

const schedulerOf = async (access: SqlAccess): Promise<string> =>
  textOf((await askSql(access, "SELECT @@global.event_scheduler AS state;"))[0], "state");

const gone = "its time has gone by: it would not run. ALTER EVENT it to another schedule, or leave it off";

const propose = async (context: MariadbContext, access: SqlAccess, request: ArmRequest) => {
  const { waiting } = await requireMarked(context, access, request.items);
  await refuseActingSide(access, request.outgoing);
  const chosen = waiting.filter((one) => request.items.includes(itemOf(one)));
  const words = ({ name, schedule }: OffEvent) => ({ name: itemOf({ name }), was: `enabled, ${schedule}` });
  const items = chosen.filter(({ isPast }) => !isPast).map((one) => ({ ...words(one), does: "runs again" }));
  const scheduler = await schedulerOf(access);
  return {
    items,
    stays: chosen.filter(({ isPast }) => isPast).map((one) => ({ ...words(one), why: gone })),
    takes: [],
    warnings:
      items.length > 0 && scheduler !== "ON"
        ? [`event_scheduler of the server is ${scheduler}: no event runs at all`]
        : [],
  };
};

/** One after the other, the last ones first when one fails. */
const enable = async (access: SqlAccess, database: string, names: readonly string[]): Promise<void> => {
  const begun: string[] = [];
  try {
    for (const name of names) {
      begun.push(name);
      await runSql(access, `ALTER EVENT ${inDatabase(database, name)} ENABLE;`);
    }
    const seen = await readEvents(access, database);
    const still = names.filter((name) => seen.find((one) => one.name === name)?.isEnabled !== true);
    if (still.length > 0)
      throw new RefloatError("target.failed", `${still.map((name) => itemOf({ name })).join(", ")} is still off`);
  } catch (error) {
    const alone = { ...access, signal: new AbortController().signal };
    const put = begun.map((name) => `ALTER EVENT ${inDatabase(database, name)} DISABLE;\n`).join("");
    const state = await runSql(alone, put).then(
      () => "all of them are off as before",
      () => `whether these run is not known: ${begun.map((name) => itemOf({ name })).join(", ")}`,
    );
    access.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    throw new RefloatError(error.code, error.message, { cause: error, state });
  }
};

/** What was decided of leaves the record; what was dropped or enabled by somebody stays in it and is never listed. */
const forget = (access: SqlAccess, { database, id, rows }: Marked, items: readonly string[]): Promise<unknown> =>
  runSql(
    access,
    writeMarkerRowsSql(database, id, { ...rows, off: rows.off.filter((one) => !items.includes(itemOf(one))) }),
  );

export const mariadbArming: Arming<MariadbOptions> = {
  disarmed: async (context) =>
    ((await readMarked(await accessOf(context, "target")))?.waiting ?? []).map(({ name, schedule }) => ({
      name: itemOf({ name }),
      was: `enabled, ${schedule}`,
      begun: false,
    })),
  propose: async (context, request) => propose(context, await accessOf(context, "target"), request),
  arm: async (context, request) => {
    const access = await accessOf(context, "target");
    const { items } = await propose(context, access, request);
    const chosen = items.map(({ name }) => name);
    const marked = await requireMarked(context, access, chosen);
    await enable(
      access,
      marked.database,
      chosen.map((item) => item.slice(prefix.length)),
    );
    await forget(access, marked, chosen);
    return [];
  },
  leave: async (context, items) => {
    const access = await accessOf(context, "target");
    await forget(access, await requireMarked(context, access, items), items);
  },
};
