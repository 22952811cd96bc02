/**
 * A table that was dropped and is made again, as the stage has it: all of its rows in a temporary table, by which they are shown, what they refer to is looked for, and it is
 * told later whether anybody has written to the table since.
 */
import { formatAmount } from "../../../core/text/quantity.ts";
import type { MendedTable } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { insertsInto } from "../dumped-table.ts";
import { numberOf, textOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { inDatabase, quoteName, quoteText } from "../sql-text.ts";
import { type DefinedForeignKey, withoutQuoted } from "../table-definition.ts";
import type { DroppedTable } from "./dropped-table.ts";
import { type LiveColumn, type LiveForeignKey, type LiveTable, readForeignKeys } from "./live-tables.ts";
import { atColumn, createTemporary } from "./loaded-rows.ts";
import { privateName } from "./private-tables.ts";
import { type RowDifferences, shownSamples } from "./row-differences.ts";
import { textSql } from "./value-sql.ts";

/** A foreign key of a live table which leads to the one that was dropped. */
export type LiveReferrer = LiveForeignKey & {
  /** Rows of it that refer to anything. */
  readonly rows: number;
};

export type MadeRows = Pick<RowDifferences, "live" | "shared" | "dropped" | "counts"> & {
  readonly table: DroppedTable;
  /** Where it is made and filled. */
  readonly privately: string;
  /** For SQL: the temporary table. */
  readonly from: string;
  /** As `digestSql` of the table when it has these rows and no others. */
  readonly digest: string;
  readonly referrers: readonly LiveReferrer[];
  /** What its counter has to go on from at least, since rows of others refer to higher numbers than it has had at the point; null where it does by itself. */
  readonly counter: string | null;
  /** For people: what is lost and does not come back. */
  readonly lost: readonly string[];
};

/** Rows of a source as the stage has them. */
export type StagedRows = RowDifferences | MadeRows;

const nothingChanged = "nothing was changed";

/** Tells any two tables of these columns apart, whatever the order of their rows. @param from for SQL, without an alias */
export const digestSql = (columns: readonly LiveColumn[], from: string): string => {
  const values = columns.map(({ name }) => `COALESCE(MD5(BINARY ${quoteName(name)}), '-')`).join(", ");
  return `(SELECT CONCAT(COUNT(*), ' ', COALESCE(SUM(CAST(CONV(LEFT(MD5(CONCAT_WS(',', ${values})), 15), 16, 10) AS DECIMAL(30))), 0)) FROM ${from})`;
};

const matched = (columns: readonly string[], others: readonly string[]): string =>
  columns.map((name, index) => `p.${quoteName(others[index] ?? "")} = c.${quoteName(name)}`).join(" AND ");

const refersSql = (columns: readonly string[]): string =>
  columns.map((name) => `c.${quoteName(name)} IS NOT NULL`).join(" AND ");

/** How many rows of a table refer to none of another. @param child @param parent for SQL */
export const orphansSql = (
  child: string,
  parent: string,
  { columns, parentColumns }: Pick<DefinedForeignKey, "columns" | "parentColumns">,
): string =>
  `(SELECT COUNT(*) FROM ${child} c WHERE ${refersSql(columns)} AND NOT EXISTS (SELECT 1 FROM ${parent} p WHERE ${matched(columns, parentColumns)}))`;

const columnsOf = async (
  session: SqlSession,
  from: string,
  names: readonly string[],
): Promise<readonly LiveColumn[]> => {
  const shown = new Map(
    (await session.ask(`SHOW FULL COLUMNS FROM ${from};`)).map((row) => [textOf(row, "Field"), row]),
  );
  return names.flatMap((name) => {
    const row = shown.get(name);
    const type = textOf(row, "Type");
    return row === undefined
      ? []
      : [
          {
            name,
            type,
            dataType: /^\w+/.exec(type)?.[0] ?? type,
            collation: row["Collation"] ?? null,
            generated: false,
            stamped: false,
            sequence: null,
          },
        ];
  });
};

/** The column whose numbers the server gives out; null without one. */
const countedColumn = ({ definition }: DroppedTable): string | null => {
  const part = definition.parts.find((one) => one.startsWith("`") && / AUTO_INCREMENT\b/.test(withoutQuoted(one)));
  return /^`(?<name>(?:[^`]|``)+)`/.exec(part ?? "")?.groups?.["name"]?.replaceAll("``", "`") ?? null;
};

type Referring = {
  readonly referrers: readonly LiveReferrer[];
  readonly counter: string | null;
  readonly lost: string[];
};

/** Rows of others that were written after the point refer to rows that are in it no more than they are live; a number that they refer to must not be given to somebody else. */
const lookAtReferrers = async (
  session: SqlSession,
  table: DroppedTable,
  { from, keys }: { readonly from: string; readonly keys: readonly LiveForeignKey[] },
): Promise<Referring> => {
  const counted = countedColumn(table);
  let next = BigInt(/ AUTO_INCREMENT=(\d+)/.exec(withoutQuoted(table.definition.options))?.[1] ?? 1);
  let counter: string | null = null;
  const lost: string[] = [];
  const referrers: LiveReferrer[] = [];
  for (const key of keys) {
    const child = inDatabase(key.childDatabase, key.child);
    const at = counted === null ? -1 : key.parentColumns.indexOf(counted);
    const highest = at === -1 ? "NULL" : `MAX(c.${quoteName(key.columns[at] ?? "")})`;
    const [row] = await session.ask(
      `SELECT COUNT(*) AS referring, ${highest} AS highest, ${orphansSql(child, from, key)} AS orphans FROM ${child} c WHERE ${refersSql(key.columns)};`,
    );
    referrers.push({ ...key, rows: numberOf(row, "referring") });
    const orphans = numberOf(row, "orphans");
    if (orphans > 0) lost.push(`what ${formatAmount(orphans, "rows")} of ${key.child} refer to (${key.name})`);
    if (row?.["highest"] != null && /^\d+$/.test(row["highest"]) && BigInt(row["highest"]) >= next) {
      next = BigInt(row["highest"]) + 1n;
      counter = String(next);
    }
  }
  return { referrers, counter, lost };
};

/** @param number tells the temporary tables of one session apart. @throws RefloatError source.unsupported, vault.* */
export const layMade = async (
  session: SqlSession,
  table: DroppedTable,
  { database, number }: { readonly database: string; readonly number: number },
): Promise<MadeRows> => {
  const { label, referring, hadHistory } = table;
  const dumped = await table.open();
  const all = await readForeignKeys(session, database);
  const keys = all.filter(({ parentDatabase, parent }) => parentDatabase === database && parent === label);
  const name = `refloat_point_${number}`;
  const from = quoteName(name);
  const indexes = keys.map(({ parentColumns }) => parentColumns);
  await createTemporary(session, name, dumped.shape, { key: [], indexes });
  await session.feed(insertsInto(dumped, name));
  const shared = await columnsOf(
    session,
    from,
    dumped.shape.columns.filter(({ isGenerated }) => !isGenerated).map((column) => column.name),
  );
  const [counted] = await session.ask(`SELECT COUNT(*) AS found, ${digestSql(shared, from)} AS digest FROM ${from};`);
  const { referrers, counter, lost } = await lookAtReferrers(session, table, { from, keys });
  const present = await session.ask(
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(database)};`,
  );
  const live = new Set(present.map((row) => textOf(row, "name")));
  // No table of that name is live: a view is.
  if (live.has(label)) {
    throw new RefloatError("source.unsupported", `${label} was dropped, and a view has its name now`, {
      state: nothingChanged,
      hint: "drop the view, or rename it, and have the table made again",
    });
  }
  const gone = referring.filter(
    ({ child, name: key }) => live.has(child) && !keys.some((one) => one.child === child && one.name === key),
  );
  return {
    table,
    privately: privateName(),
    live: {
      label,
      qualified: inDatabase(database, label),
      columns: shared,
      key: [],
      uniques: [],
      foreignKeys: [],
      referrers: [],
      // They are made when it has its rows.
      triggers: [],
      refusal: null,
    } satisfies LiveTable,
    shared,
    dropped: [],
    counts: { equal: 0, changed: 0, gone: numberOf(counted, "found"), newer: 0 },
    from,
    digest: textOf(counted, "digest"),
    referrers,
    counter,
    lost: [
      ...lost,
      ...gone.map(({ child, name: key }) => `the foreign key ${key} of ${child}`),
      ...(hadHistory ? ["the history of its rows"] : []),
    ],
  };
};

/** Is what its rows refer to there, or made again with it? @throws RefloatError source.unsupported */
export const requireParents = async (
  session: SqlSession,
  { table, from }: MadeRows,
  { database, made }: { readonly database: string; readonly made: ReadonlyMap<string, unknown> },
): Promise<void> => {
  const { label, typed, definition } = table;
  for (const key of definition.foreignKeys) {
    const isHere = (key.parentDatabase ?? database) === database;
    // Rows of one point that refer to each other are all there.
    if (isHere && made.has(key.parent)) continue;
    const place = isHere ? key.parent : `${key.parentDatabase ?? ""}.${key.parent}`;
    const parent = inDatabase(key.parentDatabase ?? database, key.parent);
    const [there] = await session.ask(
      `SELECT COUNT(*) AS found FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = ${quoteText(key.parentDatabase ?? database)} AND BINARY TABLE_NAME = BINARY ${quoteText(key.parent)};`,
    );
    if (numberOf(there, "found") === 0) {
      throw new RefloatError("source.unsupported", `${label} refers to ${place}, which is not there (${key.name})`, {
        state: nothingChanged,
        hint: isHere
          ? `have both made again: --only ${typed(key.parent)},${typed(label)}`
          : `${place} has to be there first`,
      });
    }
    const [row] = await session.ask(`SELECT ${orphansSql(from, parent, key)} AS orphans;`);
    const orphans = numberOf(row, "orphans");
    if (orphans === 0) continue;
    throw new RefloatError(
      "source.unsupported",
      `${formatAmount(orphans, "rows")} of ${label} refer to rows of ${place} that are gone (${key.name})`,
      {
        state: nothingChanged,
        hint: isHere
          ? `put those back first, from the same point: --only ${typed(key.parent)} --rows gone`
          : `${place} has to have them first`,
      },
    );
  }
};

export const describeMade = async (
  session: SqlSession,
  { counts, shared, from }: MadeRows,
): Promise<Pick<MendedTable, "puts" | "columns" | "samples" | "alike">> => {
  const values = shared.map((column, index) => `${textSql(column, "p")} AS p${index}`).join(", ");
  const rows = await session.ask(`SELECT ${values} FROM ${from} p ORDER BY p.${atColumn} LIMIT ${shownSamples};`);
  return {
    puts: { changed: 0, gone: counts.gone },
    columns: [],
    alike: [],
    samples: rows.map((row) => ({
      kind: "gone",
      key: {},
      columns: shared.map(({ name }, index) => ({ name, point: row[`p${index}`] ?? null, live: null })),
    })),
  };
};
