/** Rows that are put back and refer to rows that are gone as well: counted, and those wanted too. */
import { quoteName, quoteText } from "../instance-names.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { ForeignKey } from "./live-tables.ts";
import type { RowDifferences } from "./row-differences.ts";

const columnsOf = (side: string, names: readonly string[]): string =>
  names.map((name) => `${side}.${quoteName(name)}`).join(", ");

/** Wanted rows whose reference leads to nothing that is live; of changed rows only where the reference itself is put back. */
const danglingSql = ({ differences, from }: RowDifferences, key: ForeignKey): string => {
  const names = `array[${key.columns.map(quoteText).join(", ")}]::text[]`;
  const match = key.parentColumns
    .map((name, index) => `t.${quoteName(name)} = p.${quoteName(key.columns[index] ?? "")}`)
    .join(" and ");
  return `${differences} d join ${from} p on p.ctid = d.at
    where d.wanted and (d.kind = 'gone' or d.columns && ${names})
      and num_nulls(${columnsOf("p", key.columns)}) = 0 and not exists (select from ${key.parentQualified} t where ${match})`;
};

export const countDangling = async (session: Session, table: RowDifferences, key: ForeignKey): Promise<number> => {
  const [row] = await session.query<{ rows: number }>(
    `select count(*)::float8 as rows from ${danglingSql(table, key)}`,
  );
  return row?.rows ?? 0;
};

/** @returns how many rows of the parent are wanted now that were not before */
export const wantParents = async (
  session: Session,
  table: RowDifferences,
  key: ForeignKey,
  parent: RowDifferences,
): Promise<number> => {
  const [row] = await session.query<{ rows: number }>(
    `with wanted as (
       update ${parent.differences} d set wanted = true from ${parent.from} p
        where d.at = p.ctid and d.kind = 'gone' and not d.wanted
          and (${columnsOf("p", key.parentColumns)}) in (select ${columnsOf("p", key.columns)} from ${danglingSql(table, key)})
       returning 1)
     select count(*)::float8 as rows from wanted`,
  );
  return row?.rows ?? 0;
};

/** Rows (as `d`) whose parent is neither live nor about to be put back. */
export const orphansSql = (table: RowDifferences, key: ForeignKey, parent: RowDifferences | null): string => {
  if (parent === null) return danglingSql(table, key);
  const match = key.parentColumns
    .map((name, index) => `q.${quoteName(name)} = p.${quoteName(key.columns[index] ?? "")}`)
    .join(" and ");
  return `${danglingSql(table, key)}
      and not exists (select from ${parent.differences} g join ${parent.from} q on q.ctid = g.at where g.wanted and ${match})`;
};
