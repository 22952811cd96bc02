/** Rows of a source beside the live ones: in a temporary table of the types that the source has, which ends with the session. */
import { RefloatError } from "../../../model/refloat-error.ts";
import type { TableShape } from "../dumped-table.ts";
import { textOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { quoteName } from "../sql-text.ts";
import type { LiveColumn, LiveTable } from "./live-tables.ts";
import type { SourceRows } from "./row-source.ts";
import { sameSql } from "./value-sql.ts";

export type LoadedRows = {
  readonly live: LiveTable;
  /** For SQL: the temporary table with the source's rows; `atColumn` is its row's number. */
  readonly from: string;
  /** On both sides, and not worked out by the server. */
  readonly shared: readonly LiveColumn[];
  /** Only the source has them. */
  readonly dropped: readonly string[];
};

/** No column of anybody's has a blank at its end. */
export const atColumn = "`refloat at`";

/** Do two rows have the same key? */
export const matchedSql = (key: readonly string[], left: string, right: string): string =>
  key.map((name) => `${left}.${quoteName(name)} = ${right}.${quoteName(name)}`).join(" AND ");

const nothingChanged = "nothing was changed";

/** @throws RefloatError source.unsupported */
const requireKey = ({ label, key, columns }: LiveTable, captured: readonly string[]): void => {
  if (key.length === 0)
    throw new RefloatError("source.unsupported", `${label} has no primary key: nobody can tell which row is which`, {
      state: nothingChanged,
      hint: "a table without a key is put back as a whole, with its database: refloat recover",
    });
  const generated = columns.filter((column) => column.generated && key.includes(column.name)).map(({ name }) => name);
  const [first] = [...key.filter((name) => !captured.includes(name)), ...generated];
  if (first === undefined) return;
  throw new RefloatError(
    "source.unsupported",
    `the point's rows of ${label} have no ${first}, which is in the key now`,
    { state: nothingChanged },
  );
};

/** A value of another type would be rounded, cut or read in other letters on its way, without a word. @throws RefloatError source.unsupported */
const requireTypes = async (session: SqlSession, { label, columns }: LiveTable, from: string): Promise<void> => {
  const shown = await session.ask(`SHOW FULL COLUMNS FROM ${from};`);
  const was = new Map(shown.map((row) => [textOf(row, "Field"), row]));
  for (const { name, type, collation, generated } of columns) {
    const row = was.get(name);
    if (row === undefined || generated) continue;
    const words = (kind: string, text: string | null): string => (text === null ? kind : `${kind} ${text}`);
    const [before, now] = [words(textOf(row, "Type"), row["Collation"] ?? null), words(type, collation)];
    if (before === now) continue;
    throw new RefloatError(
      "source.unsupported",
      `the point's rows of ${label} do not fit the table: ${name} was ${before} and is ${now} now`,
      {
        state: nothingChanged,
        hint: "the table was changed since the point; the whole database can be recovered beside it: --no-cutover",
      },
    );
  }
};

/** Leaves only what was written since: what the point did not have, or not so. */
const keepWritten = async (
  session: SqlSession,
  live: LiveTable,
  {
    from,
    shared,
    before,
  }: { readonly from: string; readonly shared: readonly LiveColumn[]; readonly before: SourceRows },
): Promise<void> => {
  const name = "refloat_before";
  await createTemporary(session, name, before.shape, { key: live.key, indexes: [] });
  try {
    await requireTypes(session, live, quoteName(name));
  } catch (error) {
    await session.run(`DROP TEMPORARY TABLE ${quoteName(name)};`);
    throw error;
  }
  await before.fill(session, name);
  const known = new Set(before.shape.columns.map((column) => column.name));
  const isSame = shared.filter((column) => known.has(column.name)).map((column) => sameSql(column, "p", "b"));
  await session.run(
    `DELETE p FROM ${from} p JOIN ${quoteName(name)} b ON ${matchedSql(live.key, "p", "b")} WHERE ${isSame.join(" AND ")};
     DROP TEMPORARY TABLE ${quoteName(name)};`,
  );
};

/** @param name of the table @param key columns that are never null @param indexes others that are looked for */
export const createTemporary = async (
  session: SqlSession,
  name: string,
  { columns, charset }: TableShape,
  { key, indexes }: { readonly key: readonly string[]; readonly indexes: readonly (readonly string[])[] },
): Promise<void> => {
  // Nothing but types: what a table requires of its rows was asked of them when they were written.
  const defined = columns.map((column) => {
    const isNull = key.includes(column.name) ? "NOT NULL" : "NULL";
    return `${quoteName(column.name)} ${column.type} ${isNull}`;
  });
  const keys = [key, ...indexes]
    .filter((names) => names.length > 0)
    .map((names) => `KEY (${names.map(quoteName).join(", ")})`);
  await session.run(
    `CREATE TEMPORARY TABLE ${quoteName(name)} (${defined.join(", ")}, ${atColumn} BIGINT NOT NULL AUTO_INCREMENT INVISIBLE,
       ${[`PRIMARY KEY (${atColumn})`, ...keys].join(", ")}) ENGINE=InnoDB ${charset};`,
  );
};

/** @param number tells the temporary tables of one session apart. @throws RefloatError source.unsupported, vault.* */
export const loadRows = async (
  session: SqlSession,
  live: LiveTable,
  source: SourceRows,
  number: number,
): Promise<LoadedRows> => {
  const names = source.shape.columns.map(({ name }) => name);
  requireKey(live, names);
  const name = `refloat_point_${number}`;
  const from = quoteName(name);
  await createTemporary(session, name, source.shape, { key: live.key, indexes: [] });
  await requireTypes(session, live, from);
  const byName = new Map(live.columns.map((column) => [column.name, column]));
  const shared = names.flatMap((one) => {
    const column = byName.get(one);
    return column === undefined || column.generated ? [] : [column];
  });
  await source.fill(session, name);
  const before = (await source.before?.()) ?? null;
  if (before !== null) await keepWritten(session, live, { from, shared, before });
  return { live, from, shared, dropped: names.filter((one) => !byName.has(one)) };
};
