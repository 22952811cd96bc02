/** Where rows come from that are put back, laid into a temporary table of a session: a point, or what was written to a side that is kept. */
import { requireLoadable } from "../../../core/mend/loadable-size.ts";
import type { KeptSideSource, MendSource, PointSource } from "../../../core/ports/row-mending.ts";
import type { RowsAsCsv, RowWish } from "../../../core/ports/row-stage.ts";
import { type TableShape, insertsInto, openDumpedTable, readShape } from "../dumped-table.ts";
import { csvOf } from "../rows-as-csv.ts";
import { type SqlAccess, askSql, textOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { hasRows, listTables } from "../source-tables.ts";
import { inDatabase, quoteName } from "../sql-text.ts";
import { type StoredColumn, readStoredColumns } from "../stored-columns.ts";
import { type Unmatched, countUnmatched, readUnmatched } from "../unmatched-rows.ts";
import { type DroppedTable, readDropped } from "./dropped-table.ts";

export type SourceRows = {
  readonly shape: TableShape;
  /** Fills a temporary table of that shape. */
  readonly fill: (session: SqlSession, into: string) => Promise<void>;
  /** Of a side that is kept: the rows that the point had, which were not written since; null where all that it has is wanted. */
  readonly before: (() => Promise<SourceRows | null>) | null;
};

export type MariadbRowSource = {
  readonly words: string;
  /** Does it have every row of a table, or only some? */
  readonly whole: boolean;
  /** Tables that it has rows of; null where only asking tells. */
  readonly labels: readonly string[] | null;
  /** Null for a table that it does not have. */
  readonly open: (label: string) => Promise<SourceRows | null>;
  /** Of a side that is kept: its rows that the live table does not have, by key where there is one and changed ones are not wanted. Null of a point, which stays. */
  readonly rowsLeft: (label: string, wanted: RowWish["rows"]) => Promise<RowsAsCsv | null>;
  /** What makes a table again that was dropped; null where the source has none to make it from. */
  readonly define: (label: string) => Promise<DroppedTable | null>;
  /** How a table that was dropped comes back, where nothing makes it again here. */
  readonly remakeHint: () => string;
};

const pointRows = (point: PointSource): MariadbRowSource => {
  const { tree, captured, tables, words } = point;
  return {
    words,
    whole: true,
    labels: tables.map(({ name }) => name),
    open: async (label) => {
      const table = tables.find(({ name }) => name === label);
      if (table === undefined) return null;
      requireLoadable(label, table.sizeBytes);
      const dumped = await openDumpedTable(tree, captured, table);
      return {
        shape: dumped.shape,
        fill: (session, into) => session.feed(insertsInto(dumped, into)),
        before: null,
      };
    },
    rowsLeft: async () => null,
    define: (label) => readDropped(point, label),
    remakeHint: () => "refloat mend makes it again from a point that has it",
  };
};

/** What all sides that are kept have in common: single rows of them, and no table made again. */
export const ofKeptSide = (
  source: Pick<MariadbRowSource, "words" | "labels" | "open" | "rowsLeft">,
): MariadbRowSource => ({
  ...source,
  whole: false,
  define: async () => null,
  remakeHint: () => "a table that only the old side has stays there until refloat commit",
});

export type LeftWish = { readonly label: string; readonly wanted: RowWish["rows"] };

/** @returns null for a table that the side does not have */
const unmatchedOf = async (access: SqlAccess, side: string, { label, wanted }: LeftWish): Promise<Unmatched | null> => {
  const { database } = access.target;
  const mine = (await readStoredColumns(access, side)).get(label);
  const theirs = (await readStoredColumns(access, database)).get(label);
  if (mine === undefined) return null;
  const keyOf = (columns: readonly StoredColumn[] = []) => columns.flatMap(({ name, isKey }) => (isKey ? [name] : []));
  const key = keyOf(mine);
  // One that differs has its key on the live side.
  const hasSameKey = !wanted.includes("changed") && key.length > 0 && key.join("\n") === keyOf(theirs).join("\n");
  const known = new Set(theirs?.map(({ name }) => name));
  return {
    mine: inDatabase(side, label),
    theirs: theirs === undefined ? null : inDatabase(database, label),
    columns: mine,
    matched: hasSameKey ? key : mine.flatMap(({ name }) => (known.has(name) ? [name] : [])),
  };
};

/**
 * Rows of a side that the live table does not have.
 * @param access to the server that both are on, in the live database @param side the other one @returns null for a table that it does not have
 */
export const rowsLeft = async (access: SqlAccess, side: string, wish: LeftWish): Promise<RowsAsCsv | null> => {
  const rows = await unmatchedOf(access, side, wish);
  if (rows === null) return null;
  const count = await countUnmatched(access, rows);
  return {
    csv: csvOf(rows.columns, readUnmatched(access, rows, null)),
    count: () => count,
  };
};

const keptRows = async (access: SqlAccess, { side, words, point }: KeptSideSource): Promise<MariadbRowSource> => {
  const listed = await listTables(access, side);
  const labels = listed.filter(hasRows).map(({ name }) => name);
  return ofKeptSide({
    words,
    labels,
    open: async (label) => {
      const table = listed.find(({ name }) => name === label);
      if (table === undefined) return null;
      requireLoadable(label, table.sizeBytes);
      const qualified = inDatabase(side, label);
      const [row] = await askSql(access, `SHOW CREATE TABLE ${qualified};`);
      const shape = readShape(textOf(row, "Create Table"));
      const names = shape.columns.map(({ name }) => quoteName(name)).join(", ");
      return {
        shape,
        fill: async (session, into) =>
          void (await session.run(`INSERT INTO ${quoteName(into)} (${names}) SELECT ${names} FROM ${qualified};`)),
        before: async () => pointRows(await point()).open(label),
      };
    },
    rowsLeft: async (label, wanted) => {
      const table = listed.find(({ name }) => name === label);
      if (table === undefined) return null;
      requireLoadable(label, table.sizeBytes);
      return rowsLeft(access, side, { label, wanted });
    },
  });
};

export const rowSourceOf = async (access: SqlAccess, source: MendSource): Promise<MariadbRowSource> =>
  "tree" in source ? pointRows(source) : keptRows(access, source);
