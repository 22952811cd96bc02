/** The parts of a script that puts rows back, as PostgreSQL takes them. */
import { randomBytes } from "node:crypto";
import { batchesOf } from "../../../core/mend/row-batches.ts";
import { compared, requireMade } from "../../../core/mend/staged-rows.ts";
import type { ScriptParts, ScriptRow } from "../../../core/mend/write-script.ts";
import type { ScriptPiece } from "../../../core/ports/row-stage.ts";
import { formatAmount, formatBytes } from "../../../core/text/quantity.ts";
import type { MendDirection } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { quoteName, quoteText } from "../instance-names.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { DroppedTable } from "../../../platform/postgres/copied-rows.ts";
import type { LiveColumn } from "./live-tables.ts";
import { columnList } from "./loaded-rows.ts";
import type { MadeRows, StagedRows } from "./made-rows.ts";
import type { RowDifferences } from "./row-differences.ts";

/** Of the error that a row which is no longer as it was compared ends the script with. */
export const rowsChangedState = "RF001";

/** Without it nothing of a script is done. */
export const lastWord = "commit;";

const literal = (value: string | null | undefined): string => (value == null ? "null" : quoteText(value).trim());

/** A line of it, whatever a name holds. */
const comment = (text: string): string => `-- ${text.replaceAll(/[\r\n]+/g, " ")}\n`;

/** Ends the script where the condition holds. */
const refuseIf = (condition: string, message: string): string => `  if ${condition} then
    raise exception using errcode = '${rowsChangedState}', message = ${quoteText(`refloat: ${message}; nothing was changed`)};
  end if;
`;

const block = (body: string): string => {
  const tag = `$refloat_${randomBytes(4).toString("hex")}$`;
  return `do ${tag}
declare touched bigint;
begin
${body}end ${tag};
`;
};

/** One statement that must touch exactly the rows that it names. @param first what has to be so before it */
const counted = (statement: string, rows: number, label: string, first = ""): string => {
  const message = `refloat: of ${formatAmount(rows, "rows")} of ${label} only % are as they were compared; nothing was changed`;
  return block(`${first}${statement};
  get diagnostics touched = row_count;
  if touched <> ${rows} then
    raise exception using errcode = '${rowsChangedState}', message = replace(${quoteText(message)}, '%', touched::text);
  end if;
`);
};

const values = (rows: readonly (readonly (string | null)[])[]): string =>
  rows.map((row) => `    (${row.map((value) => literal(value)).join(", ")})`).join(",\n");

const names = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** Is the live value the one that was seen, to the letter? An equality of its type may take others for it, or be in nobody's search path. */
const unchanged = ({ name, type }: LiveColumn, seen: string): string =>
  `t.${quoteName(name)}::text is not distinct from w.${seen}::${type}::text`;

/** Numbers alone, which are held. */
const sizesAtOnce = 10_000;

/** What one statement has room for where all rows of a table have to stand in it. */
const mostTogetherBytes = 134_217_728;

type Size = { readonly bytes: number };

const cursor = (name: string, columns: string, { differences }: RowDifferences, kind: "changed" | "gone"): string =>
  `declare ${name} no scroll cursor for select ${columns} from ${differences} where wanted and kind = ${quoteText(kind)} order by columns, n`;

/** @throws RefloatError source.unsupported */
const requireTogether = async (session: Session, { differences, live }: RowDifferences): Promise<void> => {
  const [row] = await session.query<Size>(
    `select coalesce(sum(${sizeSql}), 0)::float8 as bytes from ${differences} where wanted and kind = 'gone'`,
  );
  const bytes = row?.bytes ?? 0;
  if (bytes <= mostTogetherBytes) return;
  throw new RefloatError(
    "source.unsupported",
    `${live.label} refers to itself, so its rows come back in one statement, and ${formatBytes(bytes)} are too much for one`,
    {
      state: "nothing was changed",
      hint: `at most ${formatBytes(mostTogetherBytes)}: narrow it by --where, those that others refer to first`,
    },
  );
};

const sizeSql = "(select coalesce(sum(octet_length(value)), 0) from unnest(point || live) as value)";

/** Those that are wanted, a bounded number of rows and bytes at a time; of a table that refers to itself all at once, since each may need any other. */
async function* wantedRows(
  session: Session,
  rows: RowDifferences,
  kind: "changed" | "gone",
): AsyncGenerator<readonly ScriptRow[]> {
  const { live } = rows;
  const together = kind === "gone" && live.foreignKeys.some(({ parent }) => parent === live.label);
  if (together) await requireTogether(session, rows);
  await session.query(cursor("refloat_wanted", "columns, key, point, live", rows, kind));
  const fetch = (count: number | "all") => session.query<ScriptRow>(`fetch ${count} from refloat_wanted`);
  if (together) {
    const all = await fetch("all");
    if (all.length > 0) yield all;
  } else {
    // In the same order, so that it tells how many of them are to be asked for next.
    await session.query(cursor("refloat_sizes", `${sizeSql}::float8 as bytes`, rows, kind));
    for (;;) {
      const sizes = await session.query<Size>(`fetch ${sizesAtOnce} from refloat_sizes`);
      if (sizes.length === 0) break;
      for (const batch of batchesOf(sizes)) yield await fetch(batch.length);
    }
    await session.query("close refloat_sizes");
  }
  await session.query("close refloat_wanted");
}

const keyMatch = ({ live }: RowDifferences, keys: readonly string[]): readonly string[] =>
  live.key.map((name, index) => {
    const type = live.columns.find((column) => column.name === name)?.type ?? "text";
    return `t.${quoteName(name)} = w.${keys[index] ?? ""}::${type}`;
  });

const updateStatement = (table: RowDifferences, rows: readonly ScriptRow[], direction: MendDirection): string => {
  const { live, shared } = table;
  const differing = shared.filter(({ name }) => rows[0]?.columns.includes(name) === true);
  const at = differing.map((column) => shared.indexOf(column));
  const [keys, wanted, seen] = [
    names("k", live.key.length),
    names("new", differing.length),
    names("old", differing.length),
  ];
  const sides = (row: ScriptRow) => (direction === "mend" ? [row.point, row.live] : [row.live, row.point]);
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

const insertStatement = ({ live, shared }: RowDifferences, rows: readonly ScriptRow[]): string => {
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

const deleteStatement = (table: RowDifferences, rows: readonly ScriptRow[]): string => {
  const { live, shared } = table;
  const [keys, columns] = [names("k", live.key.length), names("c", shared.length)];
  const put = `(values
${values(rows.map(({ key, point }) => [...key, ...point]))}
    ) as w(${[...keys, ...columns].join(", ")})`;
  // Of a table that refers to itself the rows go together.
  const gone = `not exists (select from (values
${values(rows.map(({ key }) => key))}
    ) as w(${keys.join(", ")}) where ${keyMatch(table, keys).join(" and ")})`;
  // Rows that were written meanwhile and refer to these would go with them, silently.
  const referrers = live.referrers.map(({ child, columns: own, parentColumns }) => {
    const values = parentColumns.map((name) => {
      const at = shared.findIndex((column) => column.name === name);
      return at === -1 ? "null" : `w.${columns[at] ?? ""}::${shared[at]?.type ?? "text"}`;
    });
    return refuseIf(
      `exists (select from ${child} t, ${put} where (${own.map((name) => `t.${quoteName(name)}`).join(", ")}) = (${values.join(", ")})${child === live.qualified ? ` and ${gone}` : ""})`,
      `rows of ${child} refer to rows of ${live.label} that were put back`,
    );
  });
  return (
    comment(`${live.label}: rows that were put back, as they were put back`) +
    counted(
      `  delete from only ${live.qualified} t
   using ${put}
   where ${[...keyMatch(table, keys), ...shared.map((column, index) => unchanged(column, columns[index] ?? ""))].join("\n     and ")}`,
      rows.length,
      live.label,
      referrers.join(""),
    )
  );
};

/** Is there a row which another transaction wrote than the one that made the table? Its row type, which nothing later changes, knows that one. */
const hasOtherRows = (qualified: string): string =>
  `exists (select from only ${qualified} t where t.xmin::text <> (select y.xmin::text from pg_catalog.pg_type y join pg_catalog.pg_class c on c.reltype = y.oid where c.oid = ${quoteText(qualified)}::regclass))`;

/** Whoever has written to tables that were made again is asked first. */
const dropStatements = (dropped: readonly StagedRows[]): string => {
  if (dropped.length === 0) return "";
  const all = dropped.map(({ live }) => live.qualified).join(", ");
  const asMade = dropped.map(({ live, counts }) =>
    refuseIf(
      `(select count(*) from only ${live.qualified}) <> ${counts.gone} or ${hasOtherRows(live.qualified)}`,
      `${live.label} was written since it was made again`,
    ),
  );
  return `${comment("dropped before: made again, and dropped again")}lock table ${all} in access exclusive mode;\n${block(asMade.join(""))}drop table ${all};\n`;
};

const triggerStatements = ({ live }: StagedRows, enabled: boolean): string =>
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
      `select pg_catalog.setval(${quoteText(sequence)}, greatest(last_value, ${row.highest})) from ${sequence} where last_value < ${row.highest} or (last_value = ${row.highest} and not is_called);\n`
    );
  }
}

/** psql and we know the end of them by this line, which no row is. */
const rowsEnd = "\\.\n";

/** Rows that are not laid beside any others need no statement that counts them. */
async function* madeRowsStatement({ live, shared, text }: MadeRows): AsyncGenerator<ScriptPiece> {
  const columns = columnList(shared.map(({ name }) => name));
  yield `${comment(`${live.label}: its rows, as they were`)}copy ${live.qualified}${columns} from stdin;\n`;
  yield* text;
  yield rowsEnd;
}

const definitions = (what: string, statements: readonly string[]): string =>
  statements.length === 0 ? "" : `${comment(what)}${statements.join("\n")}\n`;

const how =
  "All or nothing: a row that is no longer as it was compared ends it with an error. For psql: psql -X -v ON_ERROR_STOP=1 -f FILE";

/** The session is in the transaction that compared. @param made by label, tables that were dropped */
export const postgresScriptParts = (
  session: Session,
  made: ReadonlyMap<string, DroppedTable>,
): ScriptParts<StagedRows> => ({
  comment,
  // No search path and no time zone: triggers, defaults and operators of extensions find what they find for the application.
  begin: `${comment(how)}begin;
set local client_encoding = 'UTF8';
set local row_security = off;
set local intervalstyle = postgres;
set local extra_float_digits = 3;
set local standard_conforming_strings = on;
set local lock_timeout = '10s';
set constraints all deferred;
`,
  // Deferred checks come now: a table that has some waiting cannot be altered.
  check: "set constraints all immediate;\n",
  end: `${lastWord}\n`,
  wanted: (table, kind) => wantedRows(session, compared(table), kind),
  update: (table, rows, direction) => updateStatement(compared(table), rows, direction),
  insert: (table, rows) => insertStatement(compared(table), rows),
  remove: (table, rows) => deleteStatement(compared(table), rows),
  triggers: triggerStatements,
  numbers: (table) => sequenceStatements(session, compared(table)),
  made: {
    labels: new Set(made.keys()),
    before: [...made.values()].map(({ label, before }) => definitions(`${label}: it was dropped`, before)).join(""),
    rows: (table) => madeRowsStatement(requireMade(table)),
    after: [...made.values()].map(({ label, after }) => definitions(`${label}: what belongs to it`, after)).join(""),
    drop: dropStatements,
  },
});
