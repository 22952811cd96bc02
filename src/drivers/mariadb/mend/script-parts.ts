/** The parts of a script that puts rows back, as MariaDB and its stock client take them. */
import type { ScriptParts, ScriptRow } from "../../../core/mend/write-script.ts";
import { formatAmount } from "../../../core/text/quantity.ts";
import type { MendDirection } from "../../../model/mend.ts";
import { numberOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { quoteName } from "../sql-text.ts";
import { atColumn } from "./loaded-rows.ts";
import type { RowDifferences } from "./row-differences.ts";
import { keySql, literal, quoteLine, unchangedSql } from "./value-sql.ts";
import { wantedRows } from "./wanted-rows.ts";

/** Of the error that a row which is no longer as it was compared ends the script with: no number of the server's own. */
export const rowsChangedNumber = 9099;

/** The last word of a script: without it nothing of it is done. */
export const commit = "COMMIT;\n";

/** A line of it, whatever a name holds. */
export const comment = (text: string): string => `-- ${text.replaceAll(/[\r\n]+/g, " ")}\n`;

export const signal = (message: string): string =>
  `SIGNAL SQLSTATE 'RF001' SET MYSQL_ERRNO = ${rowsChangedNumber}, MESSAGE_TEXT = ${message};`;

/** Statements that must touch exactly the rows that they name. */
const counted = (statements: readonly string[], rows: number, label: string): string => {
  const message = `CONCAT(${quoteLine(`refloat: of ${formatAmount(rows, "rows")} of ${label} only `)}, touched, ' are as they were compared; nothing was changed')`;
  return `DELIMITER $$
BEGIN NOT ATOMIC
  DECLARE touched, referring BIGINT DEFAULT 0;
  DECLARE message TEXT CHARACTER SET utf8mb4;
${statements.map((statement) => `  ${statement}\n`).join("")}  IF referring > 0 THEN
    SET message = ${quoteLine(`refloat: rows of another table refer to rows of ${label} that were put back; nothing was changed`)};
    ${signal("message")}
  END IF;
  IF touched <> ${rows} THEN
    SET message = ${message};
    ${signal("message")}
  END IF;
END $$
DELIMITER ;
`;
};

const noting = "SET touched = touched + ROW_COUNT();";

const columnsOfKey = ({ live }: RowDifferences) =>
  live.key.flatMap((name) => live.columns.find((column) => column.name === name) ?? []);

const whereSql = (rows: RowDifferences, { key }: ScriptRow, seen: readonly string[]): string =>
  [...columnsOfKey(rows).map((column, index) => keySql(column, key[index] ?? "")), ...seen].join(" AND ");

const updateStatement = (rows: RowDifferences, batch: readonly ScriptRow[], direction: MendDirection): string => {
  const { live, shared } = rows;
  const differing = shared.flatMap((column, index) =>
    batch[0]?.columns.includes(column.name) === true ? [{ column, index }] : [],
  );
  const names = differing.map(({ column }) => column.name);
  // What an update would stamp stays as it is, unless it is put back itself.
  const kept = live.columns.filter(({ stamped, name }) => stamped && !names.includes(name)).map(({ name }) => name);
  const statements = batch.map((row) => {
    const [to, seen] = direction === "mend" ? [row.point, row.live] : [row.live, row.point];
    const sets = [
      ...differing.map(({ column, index }) => `${quoteName(column.name)} = ${literal(column, to[index])}`),
      ...kept.map((name) => `${quoteName(name)} = ${quoteName(name)}`),
    ];
    const where = whereSql(
      rows,
      row,
      differing.map(({ column, index }) => unchangedSql(column, seen[index])),
    );
    return `UPDATE ${quoteName(live.label)} SET ${sets.join(", ")} WHERE ${where}; ${noting}`;
  });
  return comment(`${live.label}: ${names.join(", ")}`) + counted(statements, batch.length, live.label);
};

const insertStatement = ({ live, shared }: RowDifferences, batch: readonly ScriptRow[]): string => {
  const values = batch.map(
    ({ point }) => `    (${shared.map((column, index) => literal(column, point[index])).join(", ")})`,
  );
  const names = shared.map(({ name }) => quoteName(name)).join(", ");
  const insert = `INSERT INTO ${quoteName(live.label)} (${names}) VALUES\n${values.join(",\n")};\n  ${noting}`;
  return comment(`${live.label}: rows that are gone`) + counted([insert], batch.length, live.label);
};

const deleteStatement = (rows: RowDifferences, batch: readonly ScriptRow[]): string => {
  const { live, shared } = rows;
  const statements = batch.map((row) => {
    const where = whereSql(
      rows,
      row,
      shared.map((column, index) => unchangedSql(column, row.point[index])),
    );
    // Rows that were written meanwhile and refer to this one would go with it, silently.
    const referring = live.referrers.map(({ child, columns, parentColumns }) => {
      const same = columns.map((name, index) => {
        const at = shared.findIndex((column) => column.name === parentColumns[index]);
        const column = shared[at];
        return column === undefined ? "FALSE" : `c.${quoteName(name)} = ${literal(column, row.point[at])}`;
      });
      // One that refers to itself goes by itself.
      const others = child === live.qualified ? ` AND NOT (${whereSql(rows, row, [])})` : "";
      return `SET referring = referring + (SELECT COUNT(*) FROM ${child} c WHERE ${same.join(" AND ")}${others}); `;
    });
    return `${referring.join("")}DELETE FROM ${quoteName(live.label)} WHERE ${where}; ${noting}`;
  });
  return (
    comment(`${live.label}: rows that were put back, as they were put back`) +
    counted(statements, batch.length, live.label)
  );
};

/** A counter follows the highest number that is written by itself; a sequence does not. */
async function* sequenceStatements(session: SqlSession, { live, differences, from }: RowDifferences) {
  for (const { name, sequence } of live.columns) {
    if (sequence === null) continue;
    const [row] = await session.ask(
      `SELECT MAX(p.${quoteName(name)}) AS highest FROM ${differences} d JOIN ${from} p ON p.${atColumn} = d.at WHERE d.wanted AND d.kind = 'gone';`,
    );
    const highest = numberOf(row, "highest");
    if (row?.["highest"] == null || highest <= 0) continue;
    yield (
      comment(`${live.label}: numbers that came back are not given out again`) +
      `DO SETVAL(${sequence}, ${row["highest"]}, 1);\n`
    );
  }
}

const how =
  "All or nothing: a row that is no longer as it was compared ends it with an error. For the stock client: mariadb DATABASE < FILE";

export const mariadbScriptParts = (session: SqlSession): ScriptParts<RowDifferences> => ({
  comment,
  begin: `${comment(how)}SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00', foreign_key_checks = 1,
    unique_checks = 1, innodb_lock_wait_timeout = 10, lock_wait_timeout = 10;
START TRANSACTION;
`,
  check: "",
  end: commit,
  wanted: (rows, kind, direction) => wantedRows(session, rows, kind, direction),
  update: updateStatement,
  insert: insertStatement,
  remove: deleteStatement,
  // None can be kept quiet without a statement that ends the transaction; whoever wants that was told.
  triggers: () => "",
  numbers: (rows) => sequenceStatements(session, rows),
  made: null,
});
