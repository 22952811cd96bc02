/**
 * The rows of a source and the live ones, matched by key, in a temporary table: one row for each that differs or is gone, `wanted` where it is to
 * be put back. What is only live is counted and left alone.
 */
import type { RowWish } from "../../../core/ports/row-stage.ts";
import { refuseCondition } from "../../../core/mend/explain-refusal.ts";
import { formatBytes } from "../../../core/text/quantity.ts";
import type { MendedTable } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type Row, numberOf, textOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { quoteName, quoteText } from "../sql-text.ts";
import { type LoadedRows, atColumn, matchedSql } from "./loaded-rows.ts";
import { sameSql, spelledBytesSql, textSql } from "./value-sql.ts";

export type RowDifferences = LoadedRows & {
  /**
   * For SQL: columns `at` (of the source's row), `n` (order of the key), `kind`, `bits` (one letter for each shared column: 1 where it differs and may be put
   * back), `wanted`, `level` (of a table that refers to itself, once it is asked for), `size` (bytes of both sides as statements spell them, at most),
   * `spelled` (the same of what its own statement has to name), `l0` ... (live values as text, of the shared columns).
   */
  readonly differences: string;
  readonly counts: Pick<MendedTable, "equal" | "changed" | "gone" | "newer">;
};

/** One statement, whatever a person has written into it. */
const asOne = (statement: string): string =>
  `SET @refloat_text = ${quoteText(statement)};\nEXECUTE IMMEDIATE @refloat_text;\n`;

/** Does one of these columns differ, and may be put back? */
export const differsSql = ({ shared }: LoadedRows, columns: readonly string[]): string => {
  const bits = columns.flatMap((name) => {
    const at = shared.findIndex((column) => column.name === name);
    return at === -1 ? [] : [`SUBSTRING(d.bits, ${at + 1}, 1) = '1'`];
  });
  return bits.length === 0 ? "FALSE" : `(${bits.join(" OR ")})`;
};

/** What a statement has beside its values. */
const packetReserve = 65_536;

/**
 * What the server takes of one statement is also the longest text that it makes of a value: beyond that it answers null, and null would be put back.
 * @throws RefloatError source.unsupported for a wanted row that is larger
 */
export const requireSpellable = async (
  session: SqlSession,
  { live: { label }, differences }: Pick<RowDifferences, "live" | "differences">,
): Promise<void> => {
  const row = await session.ask(
    `SELECT MAX(spelled) AS largest, @@max_allowed_packet - ${packetReserve} AS most FROM ${differences} WHERE wanted;`,
  );
  const [largest, most] = [numberOf(row[0], "largest"), numberOf(row[0], "most")];
  if (largest <= most) return;
  throw new RefloatError(
    "source.unsupported",
    `a row of ${label} takes up to ${formatBytes(largest)} in a statement, and the server takes no more than ${formatBytes(most)}`,
    {
      state: "nothing was changed",
      hint: "set max_allowed_packet higher on the server (at most 1G), or leave the row out by --where or --columns",
    },
  );
};

/** Beside the condition the statement is right: what the server refuses in it is the condition. @returns an error of another kind as it is */
const conditionError = (error: unknown, where: string, live: LoadedRows["live"]): unknown =>
  error instanceof RefloatError && (error.code === "source.failed" || error.code === "target.failed")
    ? refuseCondition({
        where,
        label: live.label,
        columns: live.columns.map(({ name }) => name),
        said: error.message,
        at: null,
        cause: error,
      })
    : error;

/**
 * @param options `whole`: the source has every row of the table, so that what it lacks is newer. `note`: what to do before a condition of a person's is asked, which may end
 * the session. @throws RefloatError usage when the server does not understand the condition
 */
export const compareRows = async (
  session: SqlSession,
  loaded: LoadedRows,
  wish: RowWish,
  { number, whole, note }: { readonly number: number; readonly whole: boolean; readonly note: () => Promise<void> },
): Promise<RowDifferences> => {
  const { live, from, shared } = loaded;
  const differences = `refloat_difference_${number}`;
  const fits = `refloat_fits_${number}`;
  const firstKey = `t.${quoteName(live.key[0] ?? "")}`;
  const bits = shared.map((column) =>
    wish.columns === null || wish.columns.includes(column.name) ? `IF(${sameSql(column, "p", "t")}, '0', '1')` : "'0'",
  );
  const same = shared.map((column) => sameSql(column, "p", "t")).join(" AND ");
  const both = shared.map((column) => `(${spelledBytesSql(column, "p")} + ${spelledBytesSql(column, "t")})`);
  const size = both.join(" + ");
  // A row that is gone is written whole; of one that differs only what differs.
  const spelled = shared
    .map(
      (column, index) =>
        `IF(${firstKey} IS NULL, ${spelledBytesSql(column, "p")}, IF(${bits[index] ?? "'0'"} = '1', ${both[index] ?? "0"}, 0))`,
    )
    .join(" + ");
  const kinds = wish.rows.map((kind) => quoteText(kind)).join(", ");
  const wanted = [
    wish.rows.length === 0 ? "FALSE" : `d.kind IN (${kinds})`,
    ...(wish.where === null ? [] : [`d.at IN (SELECT at FROM ${fits})`]),
    "(d.kind = 'gone' OR LOCATE('1', d.bits) > 0)",
  ];
  if (wish.where !== null) {
    const { where } = wish;
    const statement = `INSERT INTO ${fits} SELECT ${atColumn} FROM ${from} WHERE (${where}\n) IS TRUE`;
    await session.run(`CREATE TEMPORARY TABLE ${fits} (at BIGINT PRIMARY KEY) ENGINE=InnoDB;`);
    await note();
    // A function that a condition asks could write to tables of the application: nothing is changed by looking.
    await session.run(`START TRANSACTION READ ONLY;\n${asOne(statement)}COMMIT;`).catch((error: unknown) => {
      throw conditionError(error, where, live);
    });
  }
  const [counted] = (
    await session.run(`
      CREATE TEMPORARY TABLE ${differences} (at BIGINT PRIMARY KEY, n BIGINT, kind VARCHAR(8) CHARACTER SET ascii, bits TEXT CHARACTER SET ascii,
        wanted BOOLEAN NOT NULL DEFAULT FALSE, level INT NULL, size BIGINT, spelled BIGINT, ${shared.map((_, index) => `l${index} LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`).join(", ")}) ENGINE=InnoDB;
      INSERT INTO ${differences}
        SELECT p.${atColumn}, ROW_NUMBER() OVER (ORDER BY ${live.key.map((name) => `p.${quoteName(name)}`).join(", ")}),
               IF(${firstKey} IS NULL, 'gone', 'changed'), CONCAT(${bits.join(", ")}), FALSE, NULL, ${size}, ${spelled}, ${shared.map((column) => textSql(column, "t")).join(", ")}
          FROM ${from} p LEFT JOIN ${live.qualified} t ON ${matchedSql(live.key, "t", "p")}
         WHERE ${firstKey} IS NULL OR NOT (${same});
      UPDATE ${differences} d SET d.wanted = TRUE WHERE ${wanted.join(" AND ")};
      SELECT (SELECT COUNT(*) FROM ${from}) AS found,
             (SELECT COUNT(*) FROM ${differences} WHERE kind = 'changed') AS changed, (SELECT COUNT(*) FROM ${differences} WHERE kind = 'gone') AS gone,
             ${whole ? `(SELECT COUNT(*) FROM ${live.qualified} t LEFT JOIN ${from} p ON ${matchedSql(live.key, "t", "p")} WHERE p.${atColumn} IS NULL)` : "0"} AS newer;`)
  ).at(-1) ?? [undefined];
  await requireSpellable(session, { live, differences });
  const [changed, gone] = [numberOf(counted, "changed"), numberOf(counted, "gone")];
  const equal = numberOf(counted, "found") - changed - gone;
  return { ...loaded, differences, counts: { equal, changed, gone, newer: numberOf(counted, "newer") } };
};

/** Of each table. */
export const shownSamples = 10;

/** Key, source and live values of rows, as text. The difference is `d`, the source's row `p`. */
export const valuesSql = ({ live, shared }: LoadedRows): string =>
  [
    "d.kind AS kind, d.bits AS bits",
    ...live.key.map((name, index) => {
      const column = live.columns.find((one) => one.name === name);
      return `${column === undefined ? "NULL" : textSql(column, "p")} AS k${index}`;
    }),
    ...shared.map((column, index) => `${textSql(column, "p")} AS p${index}, d.l${index} AS l${index}`),
  ].join(", ");

export const readValues = ({ live, shared }: LoadedRows, row: Row) => ({
  columns: shared.filter((_, index) => textOf(row, "bits")[index] === "1").map(({ name }) => name),
  key: live.key.map((_, index) => textOf(row, `k${index}`)),
  point: shared.map((_, index) => row[`p${index}`] ?? null),
  live: shared.map((_, index) => row[`l${index}`] ?? null),
});

const describeColumn = ({ differences, from, shared }: RowDifferences, index: number): string => {
  const column = shared[index];
  const before = column === undefined ? "NULL" : textSql(column, "p");
  const rows = `${differences} d JOIN ${from} p ON p.${atColumn} = d.at WHERE d.wanted AND d.kind = 'changed' AND SUBSTRING(d.bits, ${index + 1}, 1) = '1'`;
  return `SELECT COUNT(*) AS found, COUNT(DISTINCT BINARY ${before}) + COALESCE(MAX(${before} IS NULL), 0) AS different FROM ${rows};
    SELECT LEFT(d.l${index}, 200) AS value, COUNT(*) AS found FROM ${rows} GROUP BY d.l${index} ORDER BY 2 DESC, 1 LIMIT 1;`;
};

/** Of each column the value that most of the rows have in the source which differ in it, two at least, and how many rows have it that come back. */
const findAlike = async (
  session: SqlSession,
  { differences, from, shared, counts }: RowDifferences,
): Promise<MendedTable["alike"]> => {
  if (counts.changed < 2 || counts.gone === 0) return [];
  const asked = shared.map((column, index) => {
    const rows = (kind: string) => `${differences} d JOIN ${from} p ON p.${atColumn} = d.at WHERE d.kind = ${kind}`;
    const value = textSql(column, "p");
    return `SELECT LEFT(m.value, 200) AS value, m.found AS changed,
                   (SELECT COUNT(*) FROM ${rows("'gone'")} AND d.wanted AND BINARY ${value} <=> BINARY m.value) AS gone
              FROM (SELECT ${value} AS value, COUNT(*) AS found FROM ${rows("'changed'")} AND SUBSTRING(d.bits, ${index + 1}, 1) = '1'
                     GROUP BY BINARY ${value}, 1 HAVING COUNT(*) > 1 ORDER BY 2 DESC, 1 LIMIT 1) m;`;
  });
  const answers = await session.run(asked.join("\n"));
  return shared
    .flatMap(({ name }, index) => {
      const row = answers[index]?.[0];
      const gone = numberOf(row, "gone");
      return gone === 0
        ? []
        : [{ column: name, value: row?.["value"] ?? null, changed: numberOf(row, "changed"), gone }];
    })
    .toSorted((a, b) => b.gone - a.gone);
};

/** What would be put back, in numbers and by a few examples. @param kept the rows are of a side that is kept */
export const describeWanted = async (
  session: SqlSession,
  rows: RowDifferences,
  { kept }: { readonly kept: boolean },
): Promise<Pick<MendedTable, "puts" | "columns" | "samples" | "alike">> => {
  const { differences, from, shared, live } = rows;
  const [putRows = [], sampleRows = [], ...counted] = await session.run(
    `SELECT COUNT(IF(kind = 'changed', 1, NULL)) AS changed, COUNT(IF(kind = 'gone', 1, NULL)) AS gone FROM ${differences} WHERE wanted;
     SELECT ${valuesSql(rows)} FROM ${differences} d JOIN ${from} p ON p.${atColumn} = d.at WHERE d.wanted ORDER BY d.n LIMIT ${shownSamples};
     ${shared.map((_, index) => describeColumn(rows, index)).join("\n")}`,
  );
  const columns = shared.flatMap(({ name }, index) => {
    const [all, most] = [counted[2 * index]?.[0], counted[2 * index + 1]?.[0]];
    return numberOf(all, "found") === 0
      ? []
      : [
          {
            name,
            rows: numberOf(all, "found"),
            mostly: { value: most?.["value"] ?? null, rows: numberOf(most, "found") },
            distinctBefore: numberOf(all, "different"),
          },
        ];
  });
  const samples = sampleRows.map((row) => {
    const kind = textOf(row, "kind") === "gone" ? ("gone" as const) : ("changed" as const);
    const { columns: differing, key, point, live: now } = readValues(rows, row);
    return {
      kind,
      key: Object.fromEntries(live.key.map((name, index) => [name, key[index] ?? ""])),
      columns: shared.flatMap(({ name }, index) =>
        differing.includes(name) && !(kind === "gone" && live.key.includes(name))
          ? [{ name, point: point[index] ?? null, live: now[index] ?? null }]
          : [],
      ),
    };
  });
  const [puts] = putRows;
  return {
    puts: { changed: numberOf(puts, "changed"), gone: numberOf(puts, "gone") },
    columns: columns.toSorted((a, b) => b.rows - a.rows),
    samples,
    alike: kept ? [...(await findAlike(session, rows))] : [],
  };
};
