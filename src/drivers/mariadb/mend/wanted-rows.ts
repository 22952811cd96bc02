/** The rows that a script names, a bounded number at a time, in an order that the server takes: it checks each reference at once. */
import { batchesOf, mostStatementBytes } from "../../../core/mend/row-batches.ts";
import type { ScriptRow } from "../../../core/mend/write-script.ts";
import type { MendDirection, MendedRows } from "../../../model/mend.ts";
import { numberOf, textOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { quoteName } from "../sql-text.ts";
import { atColumn } from "./loaded-rows.ts";
import { type RowDifferences, readValues, requireSpellable, valuesSql } from "./row-differences.ts";

/** Of a table that refers to itself: which rows come first. Those that refer to each other in a circle have no level, and the server refuses them. */
const setLevels = async (session: SqlSession, rows: RowDifferences): Promise<void> => {
  const { differences, from, live } = rows;
  const own = live.foreignKeys.filter(({ parent }) => parent === live.label);
  if (own.length === 0) return;
  const waits = own.map(({ columns, parentColumns }) => {
    const refers = columns.map((name, index) => `q.${quoteName(parentColumns[index] ?? "")} = p.${quoteName(name)}`);
    return `EXISTS (SELECT 1 FROM ${differences} g JOIN ${from} q ON q.${atColumn} = g.at
      WHERE g.wanted AND g.kind = 'gone' AND g.level IS NULL AND g.at <> d.at AND ${refers.join(" AND ")})`;
  });
  for (let level = 0; ; level += 1) {
    const [counted] = (
      await session.run(`
        CREATE TEMPORARY TABLE refloat_level (at BIGINT PRIMARY KEY) ENGINE=InnoDB
          SELECT d.at FROM ${differences} d JOIN ${from} p ON p.${atColumn} = d.at
           WHERE d.wanted AND d.kind = 'gone' AND d.level IS NULL AND NOT (${waits.join(" OR ")});
        UPDATE ${differences} d JOIN refloat_level c ON c.at = d.at SET d.level = ${level};
        SELECT COUNT(*) AS found FROM refloat_level;
        DROP TEMPORARY TABLE refloat_level;`)
    ).at(-1) ?? [undefined];
    if (numberOf(counted, "found") === 0) return;
  }
};

/** @throws RefloatError source.unsupported for a row that no statement has room for */
export async function* wantedRows(
  session: SqlSession,
  rows: RowDifferences,
  kind: MendedRows,
  direction: MendDirection,
): AsyncGenerator<readonly ScriptRow[]> {
  const { differences, from } = rows;
  if (kind === "gone" && direction === "mend") await setLevels(session, rows);
  const order = kind === "changed" ? "bits, n" : "level IS NULL, level, n";
  await requireSpellable(session, rows);
  const [packets, listed = []] = await session.run(
    `SELECT @@max_allowed_packet AS most; SELECT at, size FROM ${differences} WHERE wanted AND kind = '${kind}' ORDER BY ${order};`,
  );
  const all = listed.map((row) => ({ at: textOf(row, "at"), bytes: numberOf(row, "size") }));
  const mostBytes = Math.min(mostStatementBytes, numberOf(packets?.[0], "most") / 2);
  for (const batch of batchesOf(direction === "mend" ? all : all.toReversed(), mostBytes)) {
    const numbers = batch.map(({ at }) => at);
    const found = await session.ask(
      `SELECT d.at AS at, ${valuesSql(rows)} FROM ${differences} d JOIN ${from} p ON p.${atColumn} = d.at WHERE d.at IN (${numbers.join(", ")});`,
    );
    const byNumber = new Map(found.map((row) => [textOf(row, "at"), row]));
    yield numbers.flatMap((number) => {
      const row = byNumber.get(number);
      return row === undefined ? [] : [readValues(rows, row)];
    });
  }
}
