/** What one state of a database has that another has not, row by row, told apart by primary key or rowid. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { DatabaseSync } from "node:sqlite";
import { changedFolder } from "../../../core/run/export-folder.ts";
import type { WriteReport } from "../../../core/ports/driver.ts";
import { named, openToRead, quoteName, valueOf } from "./open-database.ts";
import { readRows, rowsSql } from "./read-rows.ts";
import { createRowText } from "./row-text.ts";
import { type TableShape, readTableShapes } from "./table-shapes.ts";

export type CompareRequest = {
  /** `here` is asked what it has; null where one side has no such database. */
  readonly pairs: readonly { readonly name: string; readonly here: string | null; readonly there: string | null }[];
  /** Before the names of tables: `shop.db/`, or nothing where there is one database. */
  readonly prefixed: boolean;
  /** Folder for rows that were added, as CSV. */
  readonly exportTo: string | null;
  readonly busyTimeoutMs: number;
};

export type Comparison = Pick<WriteReport, "units" | "gaps">;
type Unit = WriteReport["units"][number];

/** Quoted names, of which one side may have other columns than the other. */
type Pairing = {
  readonly table: TableShape;
  readonly key: readonly string[];
  readonly common: readonly string[];
};

const here = "main";
const there = "there";

const at = (schema: string, { name }: TableShape): string => `${schema}.${quoteName(name)}`;

/** A key may hold nulls where its columns do not forbid it, hence IS. */
const sameKey = (key: readonly string[]): string => key.map((name) => `b.${name} IS a.${name}`).join(" AND ");

const count = (database: DatabaseSync, sql: string): number => Number(valueOf(database, sql));

const pairingOf = (table: TableShape, other: TableShape): Pairing | string => {
  const common = table.columns.filter((name) => other.columns.includes(name));
  const sameColumns = table.key.length === other.key.length && table.key.every((name) => other.key.includes(name));
  if (!sameColumns) return "its primary key is another one";
  if (table.key.length > 0) return { table, key: table.key.map(quoteName), common };
  if (table.rowid === null || other.rowid === null) return "it has neither a primary key nor a rowid that can be asked";
  return { table, key: ["rowid"], common };
};

const addedFrom = ({ table, key }: Pairing): string =>
  `${at(here, table)} a WHERE NOT EXISTS (SELECT 1 FROM ${at(there, table)} b WHERE ${sameKey(key)})`;

/** Each byte counts, whatever the collation of a column takes for equal. @returns null where no column could differ */
const changedFrom = ({ table, key, common }: Pairing): string | null => {
  const differs = common.map((name) => `a.${quoteName(name)} COLLATE BINARY IS NOT b.${quoteName(name)}`).join(" OR ");
  return differs === "" ? null : `${at(here, table)} a JOIN ${at(there, table)} b ON ${sameKey(key)} WHERE ${differs}`;
};

const comparePair = (database: DatabaseSync, pairing: Pairing): Omit<Unit, "name"> => {
  const { table, key } = pairing;
  const added = count(database, `SELECT count(*) FROM ${addedFrom(pairing)}`);
  const removed = count(
    database,
    `SELECT count(*) FROM ${at(there, table)} a WHERE NOT EXISTS (SELECT 1 FROM ${at(here, table)} b WHERE ${sameKey(key)})`,
  );
  const differing = changedFrom(pairing);
  const changed = differing === null ? 0 : count(database, `SELECT count(*) FROM ${differing}`);
  return { added, changed, removed };
};

/** What could leave the folder or collide is replaced and told apart by a number. */
const fileName = (label: string, number: number): string => {
  const plain = label.replaceAll(/[^\w.-]/g, "_").slice(0, 100);
  return plain === label && !plain.startsWith(".") ? `${plain}.csv` : `${plain.replace(/^\.+/, "")}-${number}.csv`;
};

/** Written beside first, and named when it is whole. */
const exportRows = (database: DatabaseSync, folder: string, name: string, columns: readonly string[], sql: string) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `${name}.tmp`);
  const text = createRowText("csv", String(valueOf(database, "PRAGMA main.encoding")));
  const file = openSync(temporary, "w", 0o600);
  try {
    writeSync(file, text.header(columns));
    for (const row of readRows(database, sql, columns.length)) writeSync(file, text.row(row));
    fsyncSync(file);
    renameSync(temporary, join(folder, name));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
};

const told = (error: unknown): string => (error instanceof Error ? error.message : String(error));

type Collected = { readonly units: Unit[]; readonly gaps: string[] };

/** Compares all tables of one database. Tables of virtual tables' own are not read: the virtual table is. */
const compareOne = (
  database: DatabaseSync,
  label: (table: string) => string,
  exportTo: string | null,
  { units, gaps }: Collected,
): void => {
  const mine = readTableShapes(database, here);
  const theirs = readTableShapes(database, there);
  const others = new Map(theirs.tables.map((table) => [table.name, table]));
  for (const { name, why } of mine.unreadable) gaps.push(`${label(name)} could not be compared: ${why}`);
  const note = (unit: Unit, columns: readonly string[], added: string, changed: string | null): void => {
    if (unit.added + unit.changed + unit.removed === 0) return;
    if (exportTo === null) return void units.push(unit);
    const file = fileName(unit.name, units.length + 1);
    const save = (from: string, folder: string): void =>
      exportRows(database, folder, file, columns, rowsSql(columns, from, "a."));
    const isChanged = unit.changed > 0 && changed !== null;
    if (unit.added > 0) save(added, exportTo);
    if (isChanged) save(changed, join(exportTo, changedFolder));
    units.push({
      ...unit,
      ...(unit.added > 0 ? { file } : {}),
      ...(isChanged ? { changedFile: join(changedFolder, file) } : {}),
    });
  };
  for (const table of mine.tables) {
    const name = label(table.name);
    const other = others.get(table.name);
    others.delete(table.name);
    try {
      if (other === undefined) {
        const added = count(database, `SELECT count(*) FROM ${at(here, table)}`);
        note({ name, added, changed: 0, removed: 0 }, table.columns, `${at(here, table)} a`, null);
        continue;
      }
      const pairing = pairingOf(table, other);
      if (typeof pairing === "string") {
        gaps.push(`${name} could not be compared: ${pairing}`);
        continue;
      }
      const unit = { name, ...comparePair(database, pairing) };
      if (table.key.length === 0 && unit.changed + unit.removed > 0)
        gaps.push(`${name} has no primary key: its rows were told apart by their rowid, which VACUUM may change`);
      note(unit, table.columns, addedFrom(pairing), changedFrom(pairing));
    } catch (error) {
      gaps.push(`${name} could not be compared: ${told(error)}`);
    }
  }
  for (const table of others.values()) {
    const removed = count(database, `SELECT count(*) FROM ${at(there, table)}`);
    gaps.push(`${label(table.name)} was dropped`);
    if (removed > 0) units.push({ name: label(table.name), added: 0, changed: 0, removed });
  }
};

export const compareDatabases = ({ pairs, prefixed, exportTo, busyTimeoutMs }: CompareRequest): Comparison => {
  const collected: Collected = { units: [], gaps: [] };
  for (const { name, here: mine, there: theirs } of pairs) {
    const label = (table: string): string => (prefixed ? `${name}/${table}` : table);
    if (mine === null) {
      collected.gaps.push(`the database ${name} is not there any more`);
      continue;
    }
    named(mine, busyTimeoutMs, () => {
      const database = openToRead(mine, busyTimeoutMs);
      try {
        if (theirs === null) database.exec(`ATTACH ':memory:' AS ${there}`);
        else {
          openToRead(theirs, busyTimeoutMs).close();
          const url = pathToFileURL(theirs);
          url.searchParams.set("mode", "ro");
          database.prepare(`ATTACH ? AS ${there}`).run(url.href);
        }
        database.exec("BEGIN");
        compareOne(database, label, exportTo, collected);
      } finally {
        database.close();
      }
    });
  }
  return collected;
};
