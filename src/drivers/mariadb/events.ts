/** Events that ran before a recovery and are off since: seen, shown as they would be armed, and made to run again one by one. Of one database, or of all of a server. */
import type { ArmRequest } from "../../core/ports/arming.ts";
import { formatList } from "../../core/text/quantity.ts";
import type { ArmProposal } from "../../model/arming.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { alterEventSql } from "./code-objects.ts";
import { errorNumberOf } from "./server-errors.ts";
import { type SqlAccess, askSql, runSql, textOf } from "./sql-client.ts";
import { quoteAccount, quoteText } from "./sql-text.ts";

export type SeenEvent = {
  readonly database: string;
  readonly name: string;
  /** `shop@%`. */
  readonly definer: string;
  /** Of the session in which it was made. */
  readonly charset: string;
  readonly collation: string;
  readonly sqlMode: string;
  readonly timeZone: string;
  readonly isEnabled: boolean;
  /** It has a last time, and that has gone by. */
  readonly isPast: boolean;
};

/** Only what the user may see: an event of a database on which he has not EVENT is not there. */
export const readEvents = async (access: SqlAccess, databases: readonly string[]): Promise<readonly SeenEvent[]> => {
  if (databases.length === 0) return [];
  const rows = await askSql(
    access,
    `SELECT EVENT_SCHEMA AS db, EVENT_NAME AS name, DEFINER AS definer, STATUS AS status, CHARACTER_SET_CLIENT AS charset,
            COLLATION_CONNECTION AS collation, SQL_MODE AS mode, TIME_ZONE AS zone,
            IFNULL(CONVERT_TZ(IFNULL(EXECUTE_AT, ENDS), TIME_ZONE, 'SYSTEM') < CONVERT_TZ(NOW(), @@session.time_zone, 'SYSTEM'), 0) AS past
       FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN (${databases.map(quoteText).join(", ")}) ORDER BY 1, 2;`,
  );
  return rows.map((row) => ({
    database: textOf(row, "db"),
    name: textOf(row, "name"),
    definer: textOf(row, "definer"),
    charset: textOf(row, "charset"),
    collation: textOf(row, "collation"),
    sqlMode: textOf(row, "mode"),
    timeZone: textOf(row, "zone"),
    isEnabled: textOf(row, "status") === "ENABLED",
    isPast: textOf(row, "past") === "1",
  }));
};

export const isSameEvent = (
  a: Pick<SeenEvent, "database" | "name">,
  b: Pick<SeenEvent, "database" | "name">,
): boolean => a.database === b.database && a.name === b.name;

/** One that a recovery has switched off, and that is there. */
export type OffEventSeen = SeenEvent & {
  /** As a person types it: `event:cleanup`. */
  readonly item: string;
  /** What it was, in words: `enabled, EVERY 1 DAY`. */
  readonly was: string;
};

/** @param there names of all that is off @throws RefloatError usage */
export const requireItems = (component: string, there: readonly string[], items: readonly string[]): void => {
  const unknown = items.find((item) => !there.includes(item));
  if (unknown === undefined) return;
  throw new RefloatError("usage", `nothing called "${unknown}" is off in ${component}`, {
    state: "nothing was changed",
    hint: there.length === 0 ? "nothing is off there" : `there is ${formatList(there, 12)}`,
  });
};

const gone = "its time has gone by: it would not run. ALTER EVENT it to another schedule, or leave it off";

/** What arming those of a request does; one whose time has gone by stays. */
export const proposeEvents = async (
  access: SqlAccess,
  waiting: readonly OffEventSeen[],
  request: Pick<ArmRequest, "items">,
): Promise<ArmProposal> => {
  const chosen = waiting.filter(({ item }) => request.items.includes(item));
  const words = ({ item, was }: OffEventSeen) => ({ name: item, was });
  const items = chosen.filter(({ isPast }) => !isPast).map((one) => ({ ...words(one), does: "runs again" }));
  const scheduler = textOf((await askSql(access, "SELECT @@global.event_scheduler AS state;"))[0], "state");
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

const switchSql = (event: SeenEvent, state: Parameters<typeof alterEventSql>[1]): string =>
  alterEventSql({ ...event, definer: quoteAccount(event.definer) }, state);

/** ER_EVENT_DOES_NOT_EXIST */
const noSuchEvent = 1539;

/**
 * One after the other, by their own definers; all of those begun are off again when one fails.
 * @param off what they are when they are off @param putAllBack told where one failed, and all are off again @throws RefloatError with what they are now as its state
 */
export const enableEvents = async (
  access: SqlAccess,
  events: readonly OffEventSeen[],
  off: "DISABLE" | "DISABLE ON SLAVE",
  putAllBack: () => Promise<void> = async () => undefined,
): Promise<void> => {
  const begun: OffEventSeen[] = [];
  try {
    for (const event of events) {
      begun.push(event);
      await runSql(access, switchSql(event, "ENABLE"));
    }
    const seen = await readEvents(access, [...new Set(events.map(({ database }) => database))]);
    const still = events.filter((event) => seen.find((one) => isSameEvent(one, event))?.isEnabled !== true);
    if (still.length > 0)
      throw new RefloatError("target.failed", `${still.map(({ item }) => item).join(", ")} is still off`);
  } catch (error) {
    const { isOff, state } = await putBack({ ...access, signal: new AbortController().signal }, begun, off);
    if (isOff) await putAllBack();
    access.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    throw new RefloatError(error.code, error.message, {
      cause: error,
      state,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
};

/** Each by itself: one that was dropped meanwhile keeps no other from being off. @returns in words what they are now */
const putBack = async (
  access: SqlAccess,
  begun: readonly OffEventSeen[],
  off: "DISABLE" | "DISABLE ON SLAVE",
): Promise<{ readonly isOff: boolean; readonly state: string }> => {
  const unsure: string[] = [];
  for (const event of begun) {
    try {
      await runSql(access, switchSql(event, off));
    } catch (error) {
      if (!(error instanceof RefloatError)) throw error;
      if (errorNumberOf(error) !== noSuchEvent) unsure.push(event.item);
    }
  }
  return unsure.length === 0
    ? { isOff: true, state: "all of them are off as before" }
    : { isOff: false, state: `whether these run is not known: ${unsure.join(", ")}` };
};
