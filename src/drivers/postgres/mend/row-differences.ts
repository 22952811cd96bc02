/**
 * The rows of a point and the live ones, matched by key, in a temporary table: one row for each that differs or is gone, `wanted` where it is to
 * be put back. What is only live is counted and left alone.
 */
import type { RowWish } from "../../../core/ports/row-stage.ts";
import type { MendedRows, MendedTable } from "../../../model/mend.ts";
import { copyTextSql } from "../catalog-sql.ts";
import { quoteName, quoteText } from "../instance-names.ts";
import { refuseCondition } from "../../../core/mend/explain-refusal.ts";
import { refusalOf } from "../../../platform/postgres/server-errors.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { LoadedRows } from "./loaded-rows.ts";

export type RowDifferences = LoadedRows & {
  /**
   * For SQL: columns `n` (order of the key), `at` (ctid in the point's rows), `kind`, `columns` (names that differ and may be put back), `key`,
   * `point`, `live` (values as text, of the key and of the shared columns in their order), `wanted`.
   */
  readonly differences: string;
  readonly counts: Pick<MendedTable, "equal" | "changed" | "gone" | "newer">;
};

const textArray = (expressions: readonly string[]): string => `array[${expressions.join(", ")}]::text[]`;

/** Do two rows have the same key? */
export const matchedSql = (key: readonly string[], left: string, right: string): string =>
  key.map((name) => `${left}.${quoteName(name)} = ${right}.${quoteName(name)}`).join(" and ");

/** What the server says of a statement that is right but for its condition: syntax and names (42), values (22). @returns another error as it is */
const conditionError = (error: unknown, statement: string, where: string, live: LoadedRows["live"]): unknown => {
  const refusal = refusalOf(error);
  if (refusal === null || !/^(?:22|42(?!501))/.test(refusal.state)) return error;
  const at = refusal.position === null ? -1 : refusal.position - 1 - statement.indexOf(`((${where}\n)`) - "((".length;
  return refuseCondition({
    where,
    label: live.label,
    columns: live.columns.map(({ name }) => name),
    said: refusal.said,
    at: at < 0 ? null : at,
    cause: error,
  });
};

/** @param options `whole`: the source has every row of the table, so that what it lacks is newer. @throws RefloatError usage when the server does not understand the condition */
export const compareRows = async (
  session: Session,
  point: LoadedRows,
  wish: RowWish,
  { number, whole }: { readonly number: number; readonly whole: boolean },
): Promise<RowDifferences> => {
  const { live, from, shared } = point;
  const differences = `pg_temp.refloat_difference_${number}`;
  const texts = (side: "p" | "t", columns: readonly string[]): string =>
    columns.map((name) => copyTextSql(`${side}.${quoteName(name)}`)).join(", ");
  const names = shared.map(({ name }) => name);
  const mended = names.filter((name) => wish.columns === null || wish.columns.includes(name));
  const differing = mended.map(
    (name) => `case when ${texts("p", [name])} is distinct from ${texts("t", [name])} then ${quoteText(name)} end`,
  );
  const firstKey = `t.${quoteName(live.key[0] ?? "")}`;
  const kinds = textArray(wish.rows.map(quoteText));
  const statement = `create temporary table refloat_difference_${number} on commit drop as
     select row_number() over (order by ${live.key.map((name) => `p.${quoteName(name)}`).join(", ")}) as n, p."refloat at" as at,
            k.kind, d.columns, ${textArray([texts("p", live.key)])} as key,
            ${textArray([texts("p", names)])} as point, ${textArray([texts("t", names)])} as live,
            k.kind = any(${kinds}) and p."refloat wanted" and (k.kind = 'gone' or cardinality(d.columns) > 0) as wanted
       from (select *, ctid as "refloat at", ${wish.where === null ? "true" : `((${wish.where}\n) is true)`} as "refloat wanted" from ${from}) p
       left join only ${live.qualified} t on ${matchedSql(live.key, "t", "p")}
      cross join lateral (select case when ${firstKey} is null then 'gone' else 'changed' end as kind) k
      cross join lateral (select array_remove(${textArray(differing)}, null) as columns) d
      where k.kind = 'gone' or row(${texts("p", names)}) is distinct from row(${texts("t", names)})`;
  // One statement only, which the extended protocol sees to: the condition is a person's text.
  await session.query(statement, []).catch((error: unknown) => {
    throw wish.where === null ? error : conditionError(error, statement, wish.where, live);
  });
  const [counted] = await session.query<RowDifferences["counts"] & { readonly all: number }>(
    `select (select count(*) from ${from})::float8 as all,
            count(*) filter (where kind = 'changed')::float8 as changed, count(*) filter (where kind = 'gone')::float8 as gone,
            ${whole ? `(select count(*) from only ${live.qualified} t where not exists (select from ${from} p where ${matchedSql(live.key, "p", "t")}))` : "0"}::float8 as newer
       from ${differences}`,
  );
  const { all = 0, changed = 0, gone = 0, newer = 0 } = counted ?? {};
  return { ...point, differences, counts: { equal: all - changed - gone, changed, gone, newer } };
};

/** As many are shown. */
export const shownSamples = 10;

type SampleRow = {
  readonly kind: MendedRows;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  readonly point: readonly (string | null)[];
  readonly live: readonly (string | null)[];
};

/** Each column that is told of, and its place among the values. */
const placesSql = (shared: RowDifferences["shared"]): string =>
  shared.map(({ name }, index) => `(${quoteText(name)}, ${index + 1})`).join(", ");

/** Of each column the value that most of the rows have in the source which differ in it, two at least, and how many rows have it that come back. */
const findAlike = async (
  session: Session,
  { differences, shared, counts }: RowDifferences,
): Promise<MendedTable["alike"]> => {
  if (counts.changed < 2 || counts.gone === 0) return [];
  const found = await session.query<MendedTable["alike"][number]>(
    `with most as (
       select distinct on (p.name) p.name, p.place, d.point[p.place] as value, count(*)::float8 as changed
         from ${differences} d cross join unnest(d.columns) as c(name) join (values ${placesSql(shared)}) as p(name, place) on p.name = c.name
        where d.kind = 'changed' group by 1, 2, 3 having count(*) > 1 order by p.name, count(*) desc, d.point[p.place]),
     counted as (
       select name, left(value, 200) as value, changed, (select count(*)::float8 from ${differences} d
               where d.kind = 'gone' and d.wanted and d.point[most.place] is not distinct from most.value) as gone from most)
     select name as "column", value, changed, gone from counted where gone > 0 order by gone desc, name`,
  );
  return [...found];
};

/** What would be put back, in numbers and by a few examples. @param kept the rows are of a side that is kept */
export const describeWanted = async (
  session: Session,
  rowDifferences: RowDifferences,
  { kept }: { readonly kept: boolean },
): Promise<Pick<MendedTable, "puts" | "columns" | "samples" | "alike">> => {
  const { differences, shared, live } = rowDifferences;
  const [puts] = await session.query<MendedTable["puts"]>(
    `select count(*) filter (where kind = 'changed')::float8 as changed, count(*) filter (where kind = 'gone')::float8 as gone
       from ${differences} where wanted`,
  );
  const columns = await session.query<MendedTable["columns"][number]>(
    `with differing as (
       select c.name, d.live[p.place] as now, coalesce(d.point[p.place], 'null of ' || p.place) as before
         from ${differences} d cross join unnest(d.columns) as c(name) join (values ${placesSql(shared)}) as p(name, place) on p.name = c.name
        where d.wanted and d.kind = 'changed')
     select name, sum(rows)::float8 as rows,
            (array_agg(jsonb_build_object('value', left(now, 200), 'rows', rows) order by rows desc, now))[1] as mostly,
            (select count(distinct before)::float8 from differing b where b.name = counted.name) as "distinctBefore"
       from (select name, now, count(*)::float8 as rows from differing group by 1, 2) counted
      group by name order by rows desc, name`,
  );
  const rows = await session.query<SampleRow>(
    `select kind, columns, key, point, live from ${differences} where wanted order by n limit ${shownSamples}`,
  );
  const samples = rows.map(({ kind, columns: differing, key, point, live: now }) => ({
    kind,
    key: Object.fromEntries(live.key.map((name, index) => [name, key[index] ?? ""])),
    columns: shared.flatMap(({ name }, index) =>
      differing.includes(name) && !(kind === "gone" && live.key.includes(name))
        ? [{ name, point: point[index] ?? null, live: now[index] ?? null }]
        : [],
    ),
  }));
  return {
    puts: puts ?? { changed: 0, gone: 0 },
    columns: [...columns],
    samples,
    alike: kept ? await findAlike(session, rowDifferences) : [],
  };
};
