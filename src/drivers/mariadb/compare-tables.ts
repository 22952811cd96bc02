/** What one database has that another of the same server has not: the server joins the two by their primary keys and compares each value. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { changedFolder } from "../../core/run/export-folder.ts";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { WriteReport } from "../../core/ports/driver.ts";
import { rowFileName } from "../../platform/mend/kept-left-rows.ts";
import { csvOf, exportedSql } from "./rows-as-csv.ts";
import { hasRows, listTables, rowEngine } from "./source-tables.ts";
import { type SqlAccess, askSql, numberOf, streamRows } from "./sql-client.ts";
import { inDatabase, quoteName } from "./sql-text.ts";
import { type StoredColumn, readStoredColumns } from "./stored-columns.ts";
import { type Unmatched, countUnmatched, mostExported, readUnmatched } from "./unmatched-rows.ts";

type Unit = WriteReport["units"][number];

/** Values as they are stored: neither a collation nor a trailing space makes two of them one. */
const isSame = ({ name }: StoredColumn): string => `BINARY a.${quoteName(name)} <=> BINARY b.${quoteName(name)}`;

const onKey = (columns: readonly StoredColumn[]): string =>
  columns
    .filter(({ isKey }) => isKey)
    .map(({ name }) => `a.${quoteName(name)} = b.${quoteName(name)}`)
    .join(" AND ");

const firstKey = (columns: readonly StoredColumn[]): string =>
  quoteName(columns.find(({ isKey }) => isKey)?.name ?? "");

type Comparison = {
  readonly access: SqlAccess;
  readonly here: string;
  readonly there: string;
  readonly exportTo: string | undefined;
  /** Tables of `there` into which rows are put back by hand alone. */
  readonly loose: ReadonlySet<string>;
};

/** @returns the name of the file */
const saveCsv = async (folder: string, table: string, csv: ByteStream): Promise<string> => {
  const file = rowFileName(null, table);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${file}.part`), csv, { mode: 0o600 });
  await rename(join(folder, `${file}.part`), join(folder, file));
  return file;
};

/** @param from the rows of `a` that are wanted, joined with `b` @returns the name of the file */
const exportRows = async (
  access: SqlAccess,
  from: string,
  folder: string,
  table: string,
  columns: readonly StoredColumn[],
): Promise<string> =>
  saveCsv(
    folder,
    table,
    csvOf(columns, streamRows(access, `SELECT ${exportedSql(columns)} FROM ${from} LIMIT ${mostExported};`)),
  );

type Found = { readonly unit: Unit; readonly gaps: readonly string[] };

/** @param shared those of the columns that both sides have */
const compareByKey = async (
  comparison: Comparison,
  table: string,
  columns: readonly StoredColumn[],
  shared: readonly StoredColumn[],
): Promise<Found> => {
  const { access, here, there, exportTo } = comparison;
  const [mine, theirs] = [inDatabase(here, table), inDatabase(there, table)];
  const key = firstKey(columns);
  const missing = (from: string, other: string): string =>
    `${from} a LEFT JOIN ${other} b ON ${onKey(columns)} WHERE b.${key} IS NULL`;
  const differing = `${mine} a JOIN ${theirs} b ON ${onKey(columns)} WHERE NOT (${shared.map(isSame).join(" AND ")})`;
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
  const unit: Unit = {
    name: table,
    ...counts,
    ...(counts.added > 0 && comparison.loose.has(table) ? { byHand: true } : {}),
  };
  if (exportTo === undefined) return { unit, gaps: [] };
  const save = (from: string, folder: string): Promise<string> => exportRows(access, from, folder, table, columns);
  const file = counts.added === 0 ? null : await save(missing(mine, theirs), exportTo);
  const changed = counts.changed === 0 ? null : await save(differing, join(exportTo, changedFolder));
  const most = mostExported.toLocaleString("en-US");
  return {
    unit: {
      ...unit,
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

/** Rows of a table that nobody puts back: they are in the old side and in the file. */
const byHand = async (
  { access, exportTo }: Comparison,
  table: string,
  { added, removed }: Pick<Unit, "added" | "removed">,
  { columns, ...rows }: Omit<Unmatched, "columns"> & { readonly columns: readonly StoredColumn[] },
): Promise<Found> => {
  const unit: Unit = { name: table, added, changed: 0, removed, ...(added === 0 ? {} : { byHand: true }) };
  if (added === 0 || exportTo === undefined) return { unit, gaps: [] };
  const file = await saveCsv(
    exportTo,
    table,
    csvOf(columns, readUnmatched(access, { ...rows, columns }, mostExported)),
  );
  const most = mostExported.toLocaleString("en-US");
  return {
    unit: { ...unit, file },
    gaps: added > mostExported ? [`${table}: only the first ${most} of its new rows were exported`] : [],
  };
};

/** Without a key rows are told apart by all that stands in them. */
const compareWithoutKey = async (
  comparison: Comparison,
  table: string,
  columns: readonly StoredColumn[],
  shared: readonly StoredColumn[],
): Promise<Found> => {
  const { access, here, there } = comparison;
  const [mine, theirs] = [await sumOf(access, here, table), await sumOf(access, there, table)];
  const isEqual = mine.rows === theirs.rows && mine.checksum === theirs.checksum;
  if (isEqual && shared.length === columns.length)
    return { unit: { name: table, added: 0, changed: 0, removed: 0 }, gaps: [] };
  const matched = shared.map(({ name }) => name);
  const rows = { mine: inDatabase(here, table), theirs: inDatabase(there, table), columns, matched };
  const added = await countUnmatched(access, rows);
  // Every row of the other side is matched by one here, or only there.
  const removed = theirs.rows - (mine.rows - added);
  const found = await byHand(comparison, table, { added, removed }, rows);
  if (added + removed === 0) return found;
  return {
    ...found,
    gaps: [...found.gaps, `${table} has no primary key: a changed row counts as a new and a removed one`],
  };
};

const allRows = async (access: SqlAccess, database: string, table: string): Promise<number> => {
  const [row] = await askSql(access, `SELECT COUNT(*) AS found FROM ${inDatabase(database, table)};`);
  return numberOf(row, "found");
};

const keyOf = (columns: readonly StoredColumn[]): string =>
  columns.flatMap(({ name, isKey }) => (isKey ? [name] : [])).join("\n");

const namesOf = (columns: readonly StoredColumn[]): readonly string[] => columns.map(({ name }) => name);

/** Columns that one side has and the other has not: nobody compares what stands in them. */
const otherColumns = (
  table: string,
  mine: readonly StoredColumn[],
  theirs: readonly StoredColumn[],
): readonly string[] => {
  const [here, there] = [new Set(namesOf(mine)), new Set(namesOf(theirs))];
  const other = [
    ...namesOf(mine).filter((name) => !there.has(name)),
    ...namesOf(theirs).filter((name) => !here.has(name)),
  ];
  return other.length === 0 ? [] : [`${table} has other columns there, which are not compared: ${other.join(", ")}`];
};

const compareBoth = async (
  comparison: Comparison,
  table: string,
  mine: readonly StoredColumn[],
  theirs: readonly StoredColumn[],
): Promise<Found> => {
  const { access, here, there } = comparison;
  if (keyOf(mine) !== keyOf(theirs)) {
    const more = (await allRows(access, here, table)) - (await allRows(access, there, table));
    const unit = { name: table, added: Math.max(0, more), changed: 0, removed: Math.max(0, -more) };
    return { unit, gaps: [`${table} has another primary key there: only the number of its rows is compared`] };
  }
  const known = new Set(namesOf(theirs));
  const shared = mine.filter(({ name }) => known.has(name));
  const compare = keyOf(mine) === "" ? compareWithoutKey : compareByKey;
  const found = await compare(comparison, table, mine, shared);
  return { ...found, gaps: [...otherColumns(table, mine, theirs), ...found.gaps] };
};

export const compareDatabases = async (asked: Omit<Comparison, "loose">): Promise<readonly Found[]> => {
  const { access, here, there } = asked;
  const rowTables = async (database: string) => (await listTables(access, database)).filter(hasRows);
  const others = await rowTables(there);
  const theirs = new Set(others.map(({ name }) => name));
  const comparison = {
    ...asked,
    loose: new Set(others.flatMap(({ name, engine }) => (engine === rowEngine ? [] : [name]))),
  };
  const [columns, theirColumns] = [await readStoredColumns(access, here), await readStoredColumns(access, there)];
  const all: Found[] = [];
  for (const { name } of await rowTables(here)) {
    const own = columns.get(name) ?? [];
    if (theirs.delete(name)) all.push(await compareBoth(comparison, name, own, theirColumns.get(name) ?? []));
    else {
      const added = await allRows(access, here, name);
      const rows = { mine: inDatabase(here, name), theirs: null, columns: own, matched: [] };
      const found = await byHand(comparison, name, { added, removed: 0 }, rows);
      all.push({ ...found, gaps: [`${name} is only here`, ...found.gaps] });
    }
  }
  for (const name of theirs) {
    const removed = await allRows(access, there, name);
    all.push({ unit: { name, added: 0, changed: 0, removed }, gaps: [`${name} was dropped`] });
  }
  return all;
};
