/** What one database has that another of the same server has not: the server joins the two by their primary keys and compares each value. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { changedFolder } from "../../core/run/export-folder.ts";
import type { WriteReport } from "../../core/ports/driver.ts";
import { listTables } from "./source-tables.ts";
import { type Row, type SqlAccess, askSql, numberOf, textOf } from "./sql-client.ts";
import { inDatabase, quoteName, quoteText } from "./sql-text.ts";

type Unit = WriteReport["units"][number];

type Column = { readonly name: string; readonly isKey: boolean };

/** Stored columns and those of the primary key; generated ones follow from the others. */
const readColumns = async (access: SqlAccess, database: string): Promise<ReadonlyMap<string, readonly Column[]>> => {
  const rows = await askSql(
    access,
    `SELECT TABLE_NAME AS tbl, COLUMN_NAME AS name, COLUMN_KEY = 'PRI' AS is_key FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = ${quoteText(database)} AND (GENERATION_EXPRESSION IS NULL OR GENERATION_EXPRESSION = '')
      ORDER BY TABLE_NAME, ORDINAL_POSITION;`,
  );
  return Map.groupBy(
    rows.map((row) => ({ table: textOf(row, "tbl"), name: textOf(row, "name"), isKey: numberOf(row, "is_key") === 1 })),
    ({ table }) => table,
  );
};

/** Values as they are stored: neither a collation nor a trailing space makes two of them one. */
const isSame = ({ name }: Column): string => `BINARY a.${quoteName(name)} <=> BINARY b.${quoteName(name)}`;

const onKey = (columns: readonly Column[]): string =>
  columns
    .filter(({ isKey }) => isKey)
    .map(({ name }) => `a.${quoteName(name)} = b.${quoteName(name)}`)
    .join(" AND ");

const firstKey = (columns: readonly Column[]): string => quoteName(columns.find(({ isKey }) => isKey)?.name ?? "");

const csvField = (value: string | null | undefined): string => {
  if (value === null || value === undefined) return "";
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
};

const csvOf = (columns: readonly Column[], rows: readonly Row[]): string =>
  [columns.map(({ name }) => csvField(name)), ...rows.map((row) => columns.map(({ name }) => csvField(row[name])))]
    .map((fields) => `${fields.join(",")}\n`)
    .join("");

/** More would not fit into memory; they are in the old side as well, which stays. */
const mostExported = 100_000;

type Comparison = {
  readonly access: SqlAccess;
  readonly here: string;
  readonly there: string;
  readonly exportTo: string | undefined;
};

/** @param from the rows of `a` that are wanted, joined with `b` @returns the name of the file */
const exportRows = async (
  access: SqlAccess,
  from: string,
  folder: string,
  table: string,
  columns: readonly Column[],
): Promise<string> => {
  const names = columns.map(({ name }) => `a.${quoteName(name)}`).join(", ");
  const rows = await askSql(access, `SELECT ${names} FROM ${from} LIMIT ${mostExported};`);
  const file = `${encodeURIComponent(table)}.csv`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${file}.part`), csvOf(columns, rows), { mode: 0o600 });
  await rename(join(folder, `${file}.part`), join(folder, file));
  return file;
};

type Found = { readonly unit: Unit; readonly gaps: readonly string[] };

const compareByKey = async (comparison: Comparison, table: string, columns: readonly Column[]): Promise<Found> => {
  const { access, here, there, exportTo } = comparison;
  const [mine, theirs] = [inDatabase(here, table), inDatabase(there, table)];
  const key = firstKey(columns);
  const missing = (from: string, other: string): string =>
    `${from} a LEFT JOIN ${other} b ON ${onKey(columns)} WHERE b.${key} IS NULL`;
  const differing = `${mine} a JOIN ${theirs} b ON ${onKey(columns)} WHERE NOT (${columns.map(isSame).join(" AND ")})`;
  const [row] = await askSql(
    access,
    `SELECT (SELECT COUNT(*) FROM ${missing(mine, theirs)}) AS added,
            (SELECT COUNT(*) FROM ${missing(theirs, mine)}) AS removed,
            (SELECT COUNT(*) FROM ${differing}) AS changed;`,
  );
  const counts = {
    added: numberOf(row, "added"),
    changed: numberOf(row, "changed"),
    removed: numberOf(row, "removed"),
  };
  if (exportTo === undefined) return { unit: { name: table, ...counts }, gaps: [] };
  const save = (from: string, folder: string): Promise<string> => exportRows(access, from, folder, table, columns);
  const file = counts.added === 0 ? null : await save(missing(mine, theirs), exportTo);
  const changed = counts.changed === 0 ? null : await save(differing, join(exportTo, changedFolder));
  const most = mostExported.toLocaleString("en-US");
  return {
    unit: {
      name: table,
      ...counts,
      ...(file === null ? {} : { file }),
      ...(changed === null ? {} : { changedFile: join(changedFolder, changed) }),
    },
    gaps: [
      ...(counts.added > mostExported ? [`${table}: only the first ${most} of its new rows were exported`] : []),
      ...(counts.changed > mostExported ? [`${table}: only the first ${most} of its changed rows were exported`] : []),
    ],
  };
};

const sumOf = async (access: SqlAccess, database: string, table: string) => {
  const [row] = await askSql(access, `SELECT COUNT(*) AS found FROM ${inDatabase(database, table)};`);
  const [sum] = await askSql(access, `CHECKSUM TABLE ${inDatabase(database, table)} EXTENDED;`);
  return { rows: numberOf(row, "found"), checksum: sum?.["Checksum"] ?? null };
};

/** Without a key only a difference can be told, and by how many rows. */
const compareWithoutKey = async ({ access, here, there }: Comparison, table: string): Promise<Found> => {
  const [mine, theirs] = [await sumOf(access, here, table), await sumOf(access, there, table)];
  const more = mine.rows - theirs.rows;
  const unit = { name: table, added: Math.max(0, more), changed: 0, removed: Math.max(0, -more) };
  const isEqual = more === 0 && mine.checksum === theirs.checksum;
  return {
    unit,
    gaps: isEqual
      ? []
      : [`${table} has no primary key: it was written to, and only the number of its rows is compared`],
  };
};

const allRows = async (access: SqlAccess, database: string, table: string): Promise<number> => {
  const [row] = await askSql(access, `SELECT COUNT(*) AS found FROM ${inDatabase(database, table)};`);
  return numberOf(row, "found");
};

const namesOf = (columns: readonly Column[]): string => columns.map(({ name, isKey }) => `${name} ${isKey}`).join("\n");

export const compareDatabases = async (comparison: Comparison): Promise<readonly Found[]> => {
  const { access, here, there } = comparison;
  const rowTables = async (database: string) =>
    (await listTables(access, database)).filter(({ type }) => type === "table" || type === "versioned");
  const theirs = new Set((await rowTables(there)).map(({ name }) => name));
  const [columns, theirColumns] = [await readColumns(access, here), await readColumns(access, there)];
  const all: Found[] = [];
  for (const { name } of await rowTables(here)) {
    const own = columns.get(name) ?? [];
    if (!theirs.delete(name)) {
      const added = await allRows(access, here, name);
      all.push({
        unit: { name, added, changed: 0, removed: 0 },
        gaps: [`${name} is only here; its rows were not exported`],
      });
    } else if (namesOf(own) !== namesOf(theirColumns.get(name) ?? [])) {
      const more = (await allRows(access, here, name)) - (await allRows(access, there, name));
      const unit = { name, added: Math.max(0, more), changed: 0, removed: Math.max(0, -more) };
      all.push({ unit, gaps: [`${name} has other columns: only the number of its rows is compared`] });
    } else
      all.push(
        own.some(({ isKey }) => isKey)
          ? await compareByKey(comparison, name, own)
          : await compareWithoutKey(comparison, name),
      );
  }
  for (const name of theirs) {
    const removed = await allRows(access, there, name);
    all.push({ unit: { name, added: 0, changed: 0, removed }, gaps: [`${name} was dropped`] });
  }
  return all;
};
