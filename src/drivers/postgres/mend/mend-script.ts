/**
 * The script that puts rows back, and the one that takes that back: plain SQL for a person to read and for psql or us to run. Each statement names
 * the rows as they were compared; if one of them is no longer so, the script ends with an error and nothing of it is done.
 */
import { randomBytes } from "node:crypto";
import { formatAmount } from "../../../core/text/quantity.ts";
import type { MendDirection } from "../../../model/mend.ts";
import { copyTextSql } from "../catalog-sql.ts";
import { quoteName, quoteText } from "../instance-names.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { compareSettings } from "../written-side.ts";
import type { DroppedTable } from "./dropped-table.ts";
import type { LiveColumn } from "./live-tables.ts";
import type { RowDifferences } from "./row-differences.ts";

/** Of the error that a row which is no longer as it was compared ends the script with. */
export const rowsChangedState = "RF001";

export type ScriptOptions = {
  readonly direction: MendDirection;
  /** In the order in which rows may come. */
  readonly tables: readonly RowDifferences[];
  /** By label: those of them that were dropped. */
  readonly made: ReadonlyMap<string, DroppedTable>;
  readonly fireTriggers: boolean;
  /** What it is, for whoever opens the file in a year. */
  readonly words: readonly string[];
};

/** Rows of one statement: few enough to be read, many enough to be quick. */
const rowsPerStatement = 500;

const literal = (value: string | null | undefined): string => (value == null ? "null" : quoteText(value).trim());

/** A line of it, whatever a name holds. */
const comment = (text: string): string => `-- ${text.replaceAll(/[\r\n]+/g, " ")}\n`;

/** One statement that must touch exactly the rows that it names. */
const counted = (statement: string, rows: number, label: string): string => {
  const tag = `$refloat_${randomBytes(4).toString("hex")}$`;
  const message = `refloat: of ${formatAmount(rows, "rows")} of ${label} only % are as they were compared; nothing was changed`;
  return `do ${tag}
declare touched bigint;
begin
${statement};
  get diagnostics touched = row_count;
  if touched <> ${rows} then
    raise exception using errcode = '${rowsChangedState}', message = replace(${quoteText(message)}, '%', touched::text);
  end if;
end ${tag};
`;
};

const values = (rows: readonly (readonly (string | null)[])[]): string =>
  rows.map((row) => `    (${row.map((value) => literal(value)).join(", ")})`).join(",\n");

const names = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** Is the live value the one that was seen? */
const unchanged = ({ name, type, comparable }: LiveColumn, seen: string): string => {
  const live = `t.${quoteName(name)}`;
  return comparable
    ? `${live} is not distinct from w.${seen}::${type}`
    : `${copyTextSql(live)} is not distinct from w.${seen}`;
};

type Row = {
  readonly columns: readonly string[];
  readonly key: readonly string[];
  readonly point: readonly (string | null)[];
  readonly live: readonly (string | null)[];
};

/** Those that are wanted, a bounded number at a time. */
async function* wantedRows(
  session: Session,
  { differences }: RowDifferences,
  kind: "changed" | "gone",
): AsyncGenerator<readonly Row[]> {
  await session.query(
    `declare refloat_wanted no scroll cursor for
     select columns, key, point, live from ${differences} where wanted and kind = ${quoteText(kind)} order by columns, n`,
  );
  for (;;) {
    const rows = await session.query<Row>(`fetch ${rowsPerStatement} from refloat_wanted`);
    if (rows.length === 0) break;
    yield rows;
  }
  await session.query("close refloat_wanted");
}

const keyMatch = ({ live }: RowDifferences, keys: readonly string[]): readonly string[] =>
  live.key.map((name, index) => {
    const type = live.columns.find((column) => column.name === name)?.type ?? "text";
    return `t.${quoteName(name)} = w.${keys[index] ?? ""}::${type}`;
  });

const updateStatement = (table: RowDifferences, rows: readonly Row[], direction: MendDirection): string => {
  const { live, shared } = table;
  const differing = shared.filter(({ name }) => rows[0]?.columns.includes(name) === true);
  const at = differing.map((column) => shared.indexOf(column));
  const [keys, wanted, seen] = [
    names("k", live.key.length),
    names("new", differing.length),
    names("old", differing.length),
  ];
  const sides = (row: Row) => (direction === "mend" ? [row.point, row.live] : [row.live, row.point]);
  const tuples = rows.map((row) => {
    const [to = [], from = []] = sides(row);
    return [...row.key, ...at.map((index) => to[index] ?? null), ...at.map((index) => from[index] ?? null)];
  });
  const changed = differing.map(({ name }) => name);
  return (
    comment(`${live.label}: ${live.key.join(", ")}; ${changed.join(", ")} as wanted; the same as seen`) +
    counted(
      `  update only ${live.qualified} t
     set ${differing.map(({ name, type }, index) => `${quoteName(name)} = w.${wanted[index] ?? ""}::${type}`).join(", ")}
    from (values
${values(tuples)}
    ) as w(${[...keys, ...wanted, ...seen].join(", ")})
   where ${[...keyMatch(table, keys), ...differing.map((column, index) => unchanged(column, seen[index] ?? ""))].join("\n     and ")}`,
      rows.length,
      live.label,
    )
  );
};

const insertStatement = ({ live, shared }: RowDifferences, rows: readonly Row[]): string => {
  const columns = names("c", shared.length);
  return (
    comment(`${live.label}: rows that are gone`) +
    counted(
      `  insert into ${live.qualified} (${shared.map(({ name }) => quoteName(name)).join(", ")}) overriding system value
  select ${shared.map(({ type }, index) => `w.${columns[index] ?? ""}::${type}`).join(", ")}
    from (values
${values(rows.map(({ point }) => point))}
    ) as w(${columns.join(", ")})`,
      rows.length,
      live.label,
    )
  );
};

const deleteStatement = (table: RowDifferences, rows: readonly Row[]): string => {
  const { live, shared } = table;
  const [keys, columns] = [names("k", live.key.length), names("c", shared.length)];
  return (
    comment(`${live.label}: rows that were put back, as they were put back`) +
    counted(
      `  delete from only ${live.qualified} t
   using (values
${values(rows.map(({ key, point }) => [...key, ...point]))}
    ) as w(${[...keys, ...columns].join(", ")})
   where ${[...keyMatch(table, keys), ...shared.map((column, index) => unchanged(column, columns[index] ?? ""))].join("\n     and ")}`,
      rows.length,
      live.label,
    )
  );
};

const triggerStatements = ({ live }: RowDifferences, enabled: boolean): string =>
  live.triggers
    .map(({ name, always }) => {
      const word = enabled ? (always ? "enable always" : "enable") : "disable";
      return `alter table only ${live.qualified} ${word} trigger ${quoteName(name)};\n`;
    })
    .join("");

/** Numbers that come back must not be given out again. */
async function* sequenceStatements(session: Session, { live, differences, from }: RowDifferences) {
  for (const { name, sequence } of live.columns) {
    if (sequence === null) continue;
    const [row] = await session.query<{ highest: string | null }>(
      `select max(p.${quoteName(name)})::text as highest from ${differences} d join ${from} p on p.ctid = d.at where d.wanted and d.kind = 'gone'`,
    );
    if (row?.highest == null) continue;
    yield (
      comment(`${live.label}: numbers that came back are not given out again`) +
      `select pg_catalog.setval(${quoteText(sequence)}, greatest(last_value, ${row.highest})) from ${sequence} where last_value < ${row.highest};\n`
    );
  }
}

async function* changedStatements(session: Session, table: RowDifferences, direction: MendDirection) {
  for await (const rows of wantedRows(session, table, "changed")) {
    let begun: Row[] = [];
    for (const row of rows) {
      if (begun[0] !== undefined && begun[0].columns.join("\n") !== row.columns.join("\n")) {
        yield updateStatement(table, begun, direction);
        begun = [];
      }
      begun.push(row);
    }
    yield updateStatement(table, begun, direction);
  }
}

async function* goneStatements(session: Session, table: RowDifferences, direction: MendDirection) {
  for await (const rows of wantedRows(session, table, "gone"))
    yield direction === "mend" ? insertStatement(table, rows) : deleteStatement(table, rows);
}

const definitions = (what: string, statements: readonly string[]): string =>
  statements.length === 0 ? "" : `${comment(what)}${statements.join("\n")}\n`;

/** Pieces of the script, in order. The session is in the transaction that compared. */
export async function* writeScript(session: Session, options: ScriptOptions): AsyncGenerator<string> {
  const { direction, fireTriggers, made, words } = options;
  const tables = direction === "mend" ? options.tables : options.tables.toReversed();
  for (const line of words) yield comment(line);
  yield `begin;\n${compareSettings.replaceAll(/^ *set /gm, "set local ").trim()};
set local standard_conforming_strings = on;
set local lock_timeout = '10s';
set constraints all deferred;
`;
  if (!fireTriggers) for (const table of tables) yield triggerStatements(table, false);
  if (direction === "mend") {
    for (const { label, before } of made.values()) yield definitions(`${label}: it was dropped`, before);
    for (const table of tables) yield* goneStatements(session, table, direction);
    for (const table of tables) yield* changedStatements(session, table, direction);
    for (const table of tables) yield* sequenceStatements(session, table);
  } else {
    for (const table of tables) yield* changedStatements(session, table, direction);
    for (const table of tables) {
      const dropped = made.get(table.live.label);
      if (dropped === undefined) yield* goneStatements(session, table, direction);
      else yield definitions(`${dropped.label}: it was dropped before`, [`drop table ${dropped.qualified};`]);
    }
  }
  // Deferred checks come now: a table that has some waiting cannot be altered.
  yield "set constraints all immediate;\n";
  if (!fireTriggers) for (const table of tables) yield triggerStatements(table, true);
  if (direction === "mend")
    for (const { label, after } of made.values()) yield definitions(`${label}: what belongs to it`, after);
  yield "commit;\n";
}
