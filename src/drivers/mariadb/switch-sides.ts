/** The two sides of a switch: what each has beside its tables, kept in its own mark while the tables are moved, and given back afterwards. */
import { readCode, replaceCode } from "./code-objects.ts";
import {
  type DatabaseState,
  type KeptSide,
  type MarkerRows,
  createDatabaseSql,
  createMarkerSql,
  readDatabases,
  readMarkerRows,
  writeMarkerRowsSql,
} from "./marker-table.ts";
import { type SqlAccess, runSql } from "./sql-client.ts";
import { quoteName } from "./sql-text.ts";

/** The comment of a database that a switch has made, to move a side there. */
const madeComment = "refloat: made by a switch";

/** All that a side has when it is moved, and which of its events ran or are to run again. */
export type Side = { readonly id: string; readonly kept: KeptSide } & Pick<MarkerRows, "armed" | "off">;

/** @param isLive its events are those that the server runs now; those of another side are off, and its mark says which were not */
const readSide = async (access: SqlAccess, state: DatabaseState, id: string, isLive: boolean): Promise<Side> => {
  const { name, charset, collation } = state;
  const rows = await readMarkerRows(access, name, id);
  const kept = rows.pending ?? { ...(await readCode(access, name)), charset, collation };
  const running = kept.objects.filter(({ isEnabled }) => isEnabled === true).map((event) => event.name);
  return { id, kept, off: rows.off, armed: isLive && rows.pending === null ? running : rows.armed };
};

/** Gives a database what is kept for it, if anything is. Idempotent. */
export const settleSide = async (access: SqlAccess, database: string, id: string, isStable: boolean): Promise<void> => {
  const { pending, armed, off } = await readMarkerRows(access, database, id);
  if (pending === null) return;
  const { charset, collation } = pending;
  const now = (await readDatabases(access, [database])).get(database);
  // Whoever holds one of its tables would be waited for: only where there is something to change.
  if (now?.charset !== charset || now.collation !== collation)
    await runSql(access, `ALTER DATABASE ${quoteName(database)} CHARACTER SET ${charset} COLLATE ${collation};`);
  await replaceCode(access, pending, database, new Set(isStable ? armed : []));
  await runSql(access, writeMarkerRowsSql(database, id, { pending: null, armed: isStable ? [] : armed, off }));
};

/**
 * Takes away the databases of a switch that never was, or was put back: made by it, and without a table. Views and routines stay behind in one
 * whose tables were moved out, and are there behind the stable name as well; one with anything else in it is somebody's.
 */
export const dropMadePlaces = async (access: SqlAccess, stable: string, outgoing: string): Promise<void> => {
  const states = await readDatabases(access, [stable, outgoing]);
  const named = async (database: string): Promise<readonly string[]> =>
    states.has(database) ? (await readCode(access, database)).objects.map(({ kind, name }) => `${kind} ${name}`) : [];
  for (const place of [outgoing, stable]) {
    const state = states.get(place);
    if (state === undefined || state.marked !== null || state.tables > 0 || state.comment !== madeComment) continue;
    const known = new Set(place === stable ? [] : await named(stable));
    if ((await named(place)).every((object) => known.has(object)))
      await runSql(access, `DROP DATABASE IF EXISTS ${quoteName(place)};`);
  }
};

export type Sides = { readonly old: Side | null; readonly fresh: Side | null };

/**
 * Makes the databases that tables are moved to, marks a side that never was, and keeps what cannot be moved. Changes nothing that anybody sees.
 * @param ids of the sides, null for one that is not there
 */
export const prepareSides = async (
  access: SqlAccess,
  places: {
    readonly stable: DatabaseState | undefined;
    readonly incoming: DatabaseState | undefined;
    readonly names: { readonly stable: string; readonly outgoing: string };
    readonly hasOutgoing: boolean;
  },
  ids: { readonly old: string | null; readonly fresh: string | null },
): Promise<Sides> => {
  const { stable, incoming, names, hasOutgoing } = places;
  const script: string[] = [];
  const make = (name: string, like: DatabaseState): void =>
    void script.push(createDatabaseSql(name, like.charset, like.collation, madeComment));
  if (ids.old !== null && stable !== undefined && !hasOutgoing) make(names.outgoing, stable);
  if (stable === undefined && incoming !== undefined) make(names.stable, incoming);
  if (ids.old !== null && stable?.marked === null) script.push(createMarkerSql(names.stable, ids.old, null));
  if (script.length > 0) await runSql(access, script.join(""));
  const old = ids.old === null || stable === undefined ? null : await readSide(access, stable, ids.old, true);
  const fresh =
    ids.fresh === null || incoming === undefined ? null : await readSide(access, incoming, ids.fresh, false);
  const keep = (state: DatabaseState | undefined, side: Side | null): string =>
    state === undefined || side === null
      ? ""
      : writeMarkerRowsSql(state.name, side.id, { pending: side.kept, armed: side.armed, off: side.off });
  await runSql(access, keep(stable, old) + keep(incoming, fresh));
  return { old, fresh };
};
