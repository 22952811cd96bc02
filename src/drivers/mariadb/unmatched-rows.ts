/**
 * Rows of one table that another one of the same server does not have, as a multiset: of three rows that are alike here and one there, two are not there. So are
 * rows told apart that have no key; those that have one are matched by it alone.
 */
import { type Row, type SqlAccess, askSql, numberOf, streamRows } from "./sql-client.ts";
import { exportedSql } from "./rows-as-csv.ts";
import { quoteName } from "./sql-text.ts";
import type { StoredColumn } from "./stored-columns.ts";

/** A service waits while these are written; all of them are in the side that is looked at, and come out of it by reconcile. */
export const mostExported = 100_000;

export type Unmatched = {
  /** For SQL. */
  readonly mine: string;
  /** For SQL; null where there is no such table on the other side: all rows are only here. */
  readonly theirs: string | null;
  /** Stored columns of `mine`, which are read. */
  readonly columns: readonly StoredColumn[];
  /** Those by which rows are matched. */
  readonly matched: readonly string[];
};

/** Values as they are stored: each is hashed by itself, so that no two rows of different columns spell the same, and no text is longer than the server makes one. */
const rowHash = (matched: readonly string[]): string =>
  `CONCAT(${["''", ...matched.map((name) => `COALESCE(SHA2(BINARY ${quoteName(name)}, 256), '-')`)].join(", ")})`;

const numbered = (table: string, columns: readonly StoredColumn[], matched: readonly string[]): string => {
  const hash = rowHash(matched);
  const names = columns.map(({ name }) => `, ${quoteName(name)}`).join("");
  return `SELECT ${hash} AS \`refloat hash\`, ROW_NUMBER() OVER (PARTITION BY ${hash}) AS \`refloat number\`${names} FROM ${table}`;
};

const fromSql = ({ mine, theirs, columns, matched }: Unmatched): string => {
  // Of no column all rows would be alike.
  if (theirs === null || matched.length === 0) return `${mine} a`;
  const same = ["`refloat hash`", "`refloat number`"].map((name) => `a.${name} = b.${name}`).join(" AND ");
  return `(${numbered(mine, columns, matched)}) a LEFT JOIN (${numbered(theirs, [], matched)}) b ON ${same} WHERE b.\`refloat number\` IS NULL`;
};

export const countUnmatched = async (access: SqlAccess, rows: Unmatched): Promise<number> => {
  const [row] = await askSql(access, `SELECT COUNT(*) AS found FROM ${fromSql({ ...rows, columns: [] })};`);
  return numberOf(row, "found");
};

/** @param most null for all of them */
export const readUnmatched = (access: SqlAccess, rows: Unmatched, most: number | null): AsyncIterable<Row> =>
  streamRows(
    access,
    `SELECT ${exportedSql(rows.columns)} FROM ${fromSql(rows)}${most === null ? "" : ` LIMIT ${most}`};`,
  );
