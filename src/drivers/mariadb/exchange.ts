/**
 * Switching what stands behind a database's name. MariaDB renames no database, but all tables of two at once: one RENAME TABLE moves the old
 * side's tables out and the new side's in, wholly or, after a crash as well, not at all. It names the tables that bear the identities of both
 * sides, so that it moves nothing where they are not what was seen before. What cannot be renamed (views, routines, triggers, events) is kept in
 * those tables from before until each side has it again.
 */
import type { Exchange, ExchangeObservation, Identity, SwitchOperations } from "../../core/ports/driver.ts";
import type { Position } from "../../model/facts.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type DatabaseState, readDatabases } from "./marker-table.ts";
import type { MariadbContext, MariadbOptions } from "./mariadb-options.ts";
import { readPosition } from "./position.ts";
import { type SwitchNames, renameTables } from "./rename-tables.ts";
import { settleMariadb } from "./settle.ts";
import { type SqlAccess, accessOf, askSql, runSql, textOf } from "./sql-client.ts";
import { isDerivedName, quoteName, quoteText } from "./sql-text.ts";
import { dropMadePlaces, prepareSides, settleSide } from "./switch-sides.ts";

type States = ReadonlyMap<string, DatabaseState>;
type Names = SwitchNames & Pick<Exchange, "putsAway">;

/** One of ours that nothing has been moved to yet, or from which all was moved. */
const isMadeAndEmpty = ({ marked, tables, comment }: DatabaseState): boolean =>
  marked === null && tables === 0 && comment.startsWith("refloat");

const prefix = "mark:";

const identityOf = (state: DatabaseState | undefined): Identity =>
  state === undefined || isMadeAndEmpty(state) ? null : `${prefix}${state.marked?.id ?? state.fingerprint}`;

/** The database that a side was put away from by an exchange which was killed before it could drop it. */
const isLeftEmpty = (states: States, { stable, incoming, outgoing, putsAway }: Names): boolean => {
  const behind = states.get(stable);
  const isMarked = (name: string): boolean => (states.get(name)?.marked ?? null) !== null;
  return (
    putsAway === true && behind?.marked === null && behind.tables === 0 && (isMarked(incoming) || isMarked(outgoing))
  );
};

const idIn = (identity: Identity): string | null => identity?.slice(prefix.length) ?? null;

const lookAt = async (
  access: SqlAccess,
  names: Names,
): Promise<{ readonly states: States; readonly found: ExchangeObservation }> => {
  const { stable, incoming, outgoing } = names;
  const states = await readDatabases(access, [stable, incoming, outgoing]);
  const identity = (name: string): Identity => identityOf(states.get(name));
  return {
    states,
    found: {
      stable: isLeftEmpty(states, names) ? null : identity(stable),
      incoming: identity(incoming),
      outgoing: identity(outgoing),
    },
  };
};

/** As InnoDB writes the name of a database. */
const encodedName = (name: string): string =>
  name.replaceAll(/[^0-9A-Za-z_]/g, (found) => `@${found.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A key of another database that points in here would go with the old side. */
const refuseForeignKeys = async (access: SqlAccess, { stable, incoming }: SwitchNames): Promise<void> => {
  const both = [stable, incoming].map((name) => quoteText(encodedName(name))).join(", ");
  const rows = await askSql(
    access,
    `SELECT FOR_NAME AS name FROM information_schema.INNODB_SYS_FOREIGN
      WHERE SUBSTRING_INDEX(REF_NAME, '/', 1) IN (${both}) AND SUBSTRING_INDEX(FOR_NAME, '/', 1) NOT IN (${both})
      ORDER BY 1 LIMIT 5;`,
  );
  if (rows.length === 0) return;
  const names = rows.map((row) => textOf(row, "name").replace("/", ".")).join(", ");
  throw new RefloatError("cutover.refused", `tables of other databases refer to ${stable}: ${names}`, {
    hint: "a foreign key follows the table that it names, and would lead to the old side: drop those keys, and make them again afterwards",
  });
};

const describe = (names: SwitchNames, seen: ExchangeObservation): string =>
  `${names.stable}=${seen.stable ?? "none"} ${names.incoming}=${seen.incoming ?? "none"} ${names.outgoing}=${seen.outgoing ?? "none"}`;

const conflict = (names: SwitchNames, expected: ExchangeObservation, found: ExchangeObservation): RefloatError =>
  new RefloatError("cutover.conflict", `the databases are not as they were seen before: ${describe(names, found)}`, {
    hint: `expected ${describe(names, expected)}; somebody altered, renamed or dropped something meanwhile`,
    state: "nothing was renamed",
  });

const nameTaken = (outgoing: string): RefloatError =>
  new RefloatError(
    "cutover.conflict",
    `there is a database "${outgoing}" already, which is to be the name of the old side`,
    { hint: "drop it if nobody needs it", state: "nothing was renamed" },
  );

const same = (a: ExchangeObservation, b: ExchangeObservation): boolean =>
  a.stable === b.stable && a.incoming === b.incoming && a.outgoing === b.outgoing;

/** Gives both sides what could not be renamed, and takes away the databases that are empty now. Idempotent. */
const finish = async (access: SqlAccess, names: SwitchNames, toNothing: boolean): Promise<void> => {
  const { states } = await lookAt(access, names);
  for (const name of [names.stable, names.outgoing]) {
    const id = states.get(name)?.marked?.id;
    if (id !== undefined) await settleSide(access, name, id, name === names.stable);
  }
  for (const name of toNothing ? [names.stable] : [names.incoming]) {
    const emptied = states.get(name);
    if (emptied !== undefined && emptied.marked === null && emptied.tables === 0)
      await runSql(access, `DROP DATABASE IF EXISTS ${quoteName(name)};`);
  }
};

const exchangeDatabases = async (
  context: MariadbContext,
  exchange: Exchange,
  expected: ExchangeObservation,
): Promise<{ readonly heldMs: number; readonly position: Position | null; readonly outgoing: string }> => {
  const access = await accessOf(context, "target");
  const names: Names = { ...exchange, stable: access.target.database };
  const { outgoing } = names;
  const { states, found } = await lookAt(access, names);
  const toNothing = expected.incoming === null;
  const after = { stable: expected.incoming, incoming: null, outgoing: expected.stable };
  if (same(found, after) && !same(expected, after)) {
    // The tables had been renamed when an attempt was killed: what follows may be missing.
    await finish(access, names, toNothing);
    return { heldMs: 0, position: null, outgoing };
  }
  if (expected.outgoing !== null) throw nameTaken(outgoing);
  const isPossible = (expected.incoming ?? expected.stable) !== null;
  if (!isPossible || !same(found, expected)) throw conflict(names, expected, found);
  await refuseForeignKeys(access, names);
  const [stable, incoming] = [states.get(names.stable), states.get(names.incoming)];
  if (incoming !== undefined && !toNothing && incoming.marked === null) {
    throw new RefloatError("cutover.refused", `${names.incoming} was restored by no run, or not to its end`);
  }
  // Moved there by an exchange that was killed before it gave it what cannot be moved.
  if (incoming?.marked != null) await settleSide(access, incoming.name, incoming.marked.id, false);
  const sides = await prepareSides(
    access,
    { stable, incoming, names, hasOutgoing: states.has(outgoing) },
    { old: idIn(expected.stable), fresh: idIn(expected.incoming) },
  );
  let heldMs: number;
  try {
    heldMs = await renameTables(context, access, names, sides);
  } catch (error) {
    // The old side serves on, with the triggers that were in the way; if that fails too, `serve` is asked for it.
    if (sides.old !== null) await settleSide(access, names.stable, sides.old.id, true).catch(() => undefined);
    throw error;
  }
  await finish(access, names, toNothing);
  const position = expected.stable === null ? null : await readPosition(context, access, outgoing);
  return { heldMs, position, outgoing };
};

/** After a switch that was killed: the side behind the name gets back what had to be dropped for it, and the place for the old side goes. */
const serve = async (context: MariadbContext, { outgoing }: Exchange): Promise<void> => {
  const access = await accessOf(context, "target");
  const { database } = access.target;
  const marked = (await readDatabases(access, [database])).get(database)?.marked ?? null;
  if (marked !== null) await settleSide(access, database, marked.id, true);
  await dropMadePlaces(access, database, outgoing);
};

const discard = async (context: MariadbContext, outgoing: string): Promise<void> => {
  const access = await accessOf(context, "target");
  const { database } = access.target;
  if (outgoing === database || !isDerivedName(database, outgoing)) {
    throw new RefloatError("cutover.refused", `"${outgoing}" is no old side of ${database}; it is not dropped`);
  }
  await runSql(access, `DROP DATABASE IF EXISTS ${quoteName(outgoing)};`);
};

export const mariadbSwitching: SwitchOperations<MariadbOptions> = {
  observe: async (context, exchange) => {
    const access = await accessOf(context, "target");
    const names: Names = { ...exchange, stable: access.target.database };
    const { found } = await lookAt(access, names);
    await refuseForeignKeys(access, names);
    return found;
  },
  exchange: exchangeDatabases,
  serve,
  settle: settleMariadb,
  discard,
};
