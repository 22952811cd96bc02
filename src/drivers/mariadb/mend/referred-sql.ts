/** Rows that are put back and refer to rows that are gone as well, and rows that the server would refuse: counted, wanted, taken out. */
import type { SetAside, StageUnique } from "../../../core/ports/row-stage.ts";
import { numberOf, textOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { quoteName } from "../sql-text.ts";
import type { ForeignKey } from "./live-tables.ts";
import { atColumn, matchedSql } from "./loaded-rows.ts";
import { type RowDifferences, differsSql } from "./row-differences.ts";
import { textSql } from "./value-sql.ts";

const pairs = (left: string, names: readonly string[], right: string, others: readonly string[]): string =>
  names.map((name, index) => `${left}.${quoteName(name)} = ${right}.${quoteName(others[index] ?? "")}`).join(" AND ");

/** Wanted rows whose reference leads to nothing that is live; of changed rows only where the reference itself is put back. */
const danglingSql = (rows: RowDifferences, key: ForeignKey): string => {
  const { differences, from } = rows;
  const isThere = key.columns.map((name) => `p.${quoteName(name)} IS NOT NULL`).join(" AND ");
  return `${differences} d JOIN ${from} p ON p.${atColumn} = d.at
    WHERE d.wanted AND (d.kind = 'gone' OR ${differsSql(rows, key.columns)}) AND ${isThere}
      AND NOT EXISTS (SELECT 1 FROM ${key.parentQualified} t WHERE ${pairs("t", key.parentColumns, "p", key.columns)})`;
};

export const countDangling = async (session: SqlSession, rows: RowDifferences, key: ForeignKey): Promise<number> => {
  const [row] = await session.ask(`SELECT COUNT(*) AS found FROM ${danglingSql(rows, key)};`);
  return numberOf(row, "found");
};

/** What is chosen from a temporary table is written down before it is changed. @param chosen `SELECT DISTINCT d.at ...` */
const writeWanted = async (
  session: SqlSession,
  { differences, from, live }: RowDifferences,
  chosen: string,
  isWanted: boolean,
): Promise<SetAside> => {
  const keys = live.key.map((name) => {
    const column = live.columns.find((one) => one.name === name);
    return column === undefined ? "''" : textSql(column, "p");
  });
  const [counted = [], samples = []] = await session.run(`
    CREATE TEMPORARY TABLE refloat_chosen (at BIGINT PRIMARY KEY) ENGINE=InnoDB ${chosen};
    UPDATE ${differences} d JOIN refloat_chosen c ON c.at = d.at SET d.wanted = ${isWanted ? "TRUE" : "FALSE"};
    SELECT COUNT(*) AS found FROM refloat_chosen;
    SELECT CONCAT_WS(', ', ${keys.join(", ")}) AS id FROM refloat_chosen c JOIN ${differences} d ON d.at = c.at JOIN ${from} p ON p.${atColumn} = c.at
     ORDER BY d.n LIMIT 3;
    DROP TEMPORARY TABLE refloat_chosen;`);
  return {
    rows: numberOf(counted[0], "found"),
    keys: samples.map((row) => `${live.key.join(", ")} ${textOf(row, "id")}`),
  };
};

/** @returns how many rows of the parent are wanted now that were not before */
export const wantParents = async (
  session: SqlSession,
  rows: RowDifferences,
  key: ForeignKey,
  parent: RowDifferences,
): Promise<number> => {
  const columns = key.columns.map((name) => `p.${quoteName(name)}`).join(", ");
  const { rows: found } = await writeWanted(
    session,
    parent,
    `SELECT DISTINCT g.at FROM ${parent.differences} g JOIN ${parent.from} q ON q.${atColumn} = g.at
       JOIN (SELECT DISTINCT ${columns} FROM ${danglingSql(rows, key)}) x ON ${pairs("q", key.parentColumns, "x", key.columns)}
      WHERE g.kind = 'gone' AND NOT g.wanted`,
    true,
  );
  return found;
};

/** Takes out rows whose value another live row has. What a changed row does not take from the source it keeps. */
export const setTakenAside = (session: SqlSession, rows: RowDifferences, unique: StageUnique): Promise<SetAside> => {
  const { differences, from, live } = rows;
  const value = (name: string): string =>
    `IF(d.kind = 'gone' OR ${differsSql(rows, [name])}, p.${quoteName(name)}, own.${quoteName(name)})`;
  const same = unique.columns.map((name) => `other.${quoteName(name)} = ${value(name)}`).join(" AND ");
  return writeWanted(
    session,
    rows,
    `SELECT DISTINCT d.at FROM ${differences} d JOIN ${from} p ON p.${atColumn} = d.at
       LEFT JOIN ${live.qualified} own ON ${matchedSql(live.key, "own", "p")}
       JOIN ${live.qualified} other ON ${same} AND NOT (${matchedSql(live.key, "other", "p")})
      WHERE d.wanted AND (d.kind = 'gone' OR ${differsSql(rows, unique.columns)})`,
    false,
  );
};

/** Takes out rows whose parent is neither live nor about to be put back. */
export const setOrphansAside = (
  session: SqlSession,
  rows: RowDifferences,
  key: ForeignKey,
  parent: RowDifferences | null,
): Promise<SetAside> => {
  const comes =
    parent === null
      ? ""
      : `AND NOT EXISTS (SELECT 1 FROM ${parent.differences} g JOIN ${parent.from} q ON q.${atColumn} = g.at
           WHERE g.wanted AND ${pairs("q", key.parentColumns, "p", key.columns)})`;
  return writeWanted(session, rows, `SELECT DISTINCT d.at FROM ${danglingSql(rows, key)} ${comes}`, false);
};

export const setAllAside = async (session: SqlSession, { differences }: RowDifferences): Promise<void> => {
  await session.run(`UPDATE ${differences} SET wanted = FALSE;`);
};
