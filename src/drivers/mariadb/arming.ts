/** Events that the server ran before a recovery: off since then, and made to run again one by one. */
import type { ArmRequest, Arming } from "../../core/ports/arming.ts";
import { formatList } from "../../core/text/quantity.ts";
import type { ArmProposal } from "../../model/arming.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type OffEventSeen, enableEvents, proposeEvents, readEvents, requireItems } from "./events.ts";
import { type MarkerRows, readDatabases, readMarkerRows, writeMarkerRowsSql } from "./marker-table.ts";
import type { MariadbContext, MariadbOptions } from "./mariadb-options.ts";
import { type SqlAccess, accessOf, runSql } from "./sql-client.ts";

const itemOf = ({ name }: { readonly name: string }): string => `event:${name}`;

type Marked = {
  readonly database: string;
  readonly id: string;
  readonly rows: MarkerRows;
  /** Those of `rows.off` that are there, and do not run. */
  readonly waiting: readonly OffEventSeen[];
};

/** Null of a database that no run has restored. */
const readMarked = async (access: SqlAccess): Promise<Marked | null> => {
  const { database } = access.target;
  const marked = (await readDatabases(access, [database])).get(database)?.marked ?? null;
  if (marked === null) return null;
  const rows = await readMarkerRows(access, database, marked.id);
  const events = rows.off.length === 0 ? [] : await readEvents(access, [database]);
  const waiting = rows.off.flatMap((one) => {
    const seen = events.find(({ name }) => name === one.name);
    return seen === undefined || seen.isEnabled
      ? []
      : [{ ...seen, item: itemOf(one), was: `enabled, ${one.schedule}` }];
  });
  return { database, id: marked.id, rows, waiting };
};

/** Names of events that a recovery has switched off and nobody has armed since; some may be dropped by now. */
export const namesOff = async (access: SqlAccess, database: string): Promise<readonly string[]> => {
  const marked = (await readDatabases(access, [database])).get(database)?.marked ?? null;
  return marked === null ? [] : (await readMarkerRows(access, database, marked.id)).off.map(({ name }) => name);
};

/** Null only where nothing was asked for. */
const requireMarked = async (
  context: MariadbContext,
  access: SqlAccess,
  items: readonly string[],
): Promise<Marked | null> => {
  const marked = await readMarked(access);
  requireItems(context.component, marked?.waiting.map(({ item }) => item) ?? [], items);
  return marked;
};

/** @throws RefloatError arming.refused */
const refuseActingSide = async (access: SqlAccess, outgoing: string | null): Promise<void> => {
  if (outgoing === null) return;
  const running = (await readEvents(access, [outgoing])).filter(({ isEnabled }) => isEnabled);
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

const propose = async (context: MariadbContext, access: SqlAccess, request: ArmRequest): Promise<ArmProposal> => {
  const marked = await requireMarked(context, access, request.items);
  await refuseActingSide(access, request.outgoing);
  return proposeEvents(access, marked?.waiting ?? [], request);
};

/** What was decided of leaves the record; what was dropped or enabled by somebody stays in it and is never listed. */
const forget = (access: SqlAccess, { database, id, rows }: Marked, items: readonly string[]): Promise<unknown> =>
  runSql(
    access,
    writeMarkerRowsSql(database, id, { ...rows, off: rows.off.filter((one) => !items.includes(itemOf(one))) }),
  );

export const mariadbArming: Arming<MariadbOptions> = {
  disarmed: async (context) =>
    ((await readMarked(await accessOf(context, "target")))?.waiting ?? []).map(({ item, was }) => ({
      name: item,
      was,
      begun: false,
    })),
  propose: async (context, request) => propose(context, await accessOf(context, "target"), request),
  arm: async (context, request) => {
    const access = await accessOf(context, "target");
    const { items } = await propose(context, access, request);
    const chosen = items.map(({ name }) => name);
    const marked = await requireMarked(context, access, chosen);
    if (marked === null) return [];
    await enableEvents(
      access,
      marked.waiting.filter(({ item }) => chosen.includes(item)),
      "DISABLE",
    );
    await forget(access, marked, chosen);
    return [];
  },
  leave: async (context, items) => {
    const access = await accessOf(context, "target");
    const marked = await requireMarked(context, access, items);
    if (marked !== null) await forget(access, marked, items);
  },
};
