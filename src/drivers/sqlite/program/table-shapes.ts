/** The tables of a database as its data is read: which columns are stored, what tells rows apart, and what cannot be read here. */
import type { DatabaseSync } from "node:sqlite";
import { quoteName } from "./open-database.ts";

export type TableShape = {
  readonly name: string;
  readonly isVirtual: boolean;
  /** Stored columns; what is computed when it is read follows from them. */
  readonly columns: readonly string[];
  /** Columns of the primary key, in its order; empty for none. */
  readonly key: readonly string[];
  /** A name by which the rowid can be asked for; null where there is none. */
  readonly rowid: string | null;
};

export type UnreadableTable = { readonly name: string; readonly why: string };

export type TableShapes = {
  readonly tables: readonly TableShape[];
  readonly unreadable: readonly UnreadableTable[];
};

type Listed = { readonly name: string; readonly type: string; readonly wr: number };
type Column = { readonly name: string; readonly pk: number; readonly hidden: number };

const hiddenKinds = { stored: 0, storedGenerated: 3 } as const;

const shapeOf = (database: DatabaseSync, schema: string, { name, type, wr }: Listed): TableShape => {
  const all = database
    .prepare(`SELECT name, pk, hidden FROM pragma_table_xinfo(?, ?)`)
    .all(name, schema) as unknown as readonly Column[];
  const columns = all.filter(({ hidden }) => hidden === hiddenKinds.stored || hidden === hiddenKinds.storedGenerated);
  const key = all.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  const taken = new Set(all.map((column) => column.name.toLowerCase()));
  const rowid = wr === 1 ? undefined : ["rowid", "_rowid_", "oid"].find((word) => !taken.has(word));
  return {
    name,
    isVirtual: type === "virtual",
    columns: columns.map((column) => column.name),
    key: key.map((column) => column.name),
    rowid: rowid ?? null,
  };
};

/** Tables of SQLite itself follow from the others. Those that a virtual table keeps its data in are read through it. */
export const readTableShapes = (database: DatabaseSync, schema = "main"): TableShapes => {
  const listed = database
    .prepare(
      `SELECT name, type, wr FROM pragma_table_list WHERE schema = ? AND type IN ('table', 'virtual')
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
    )
    .all(schema) as unknown as readonly Listed[];
  const tables: TableShape[] = [];
  const unreadable: UnreadableTable[] = [];
  for (const one of listed) {
    try {
      const shape = shapeOf(database, schema, one);
      // Prepared and not run: names what is missing (a module, a collation) before a row is asked for.
      database.prepare(`SELECT * FROM ${quoteName(schema)}.${quoteName(one.name)}`);
      tables.push(shape);
    } catch (error) {
      unreadable.push({ name: one.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { tables, unreadable };
};

export const fromTable = (schema: string, { name, isVirtual }: TableShape): string =>
  // An index that holds all columns would be read in another order.
  `${quoteName(schema)}.${quoteName(name)}${isVirtual ? "" : " NOT INDEXED"}`;
