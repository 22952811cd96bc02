/**
 * Rows that are put back may refer to rows that are gone as well: those come along, and what they refer to, until nothing is missing that the
 * point has.
 */
import { quoteName, quoteText } from "../instance-names.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { ForeignKey } from "./live-tables.ts";
import type { RowDifferences } from "./row-differences.ts";

export type MendedTables = {
  /** By label, those compared so far. */
  readonly compared: Map<string, RowDifferences>;
  /** Loads and compares a table of the point, nothing of it wanted; null when the point or the live side has no such table. */
  readonly compare: (label: string) => Promise<RowDifferences | null>;
};

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

const count = async (session: Session, from: string): Promise<number> => {
  const [row] = await session.query<{ rows: number }>(`select count(*)::float8 as rows from ${from}`);
  return row?.rows ?? 0;
};

/** @returns how many rows of the parent are wanted now that were not before */
const wantParents = async (
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

/** Wants what wanted rows refer to and the point has, compared tables first, until nothing more is found. */
export const wantReferred = async (session: Session, { compared, compare }: MendedTables): Promise<void> => {
  for (let found = true; found;) {
    found = false;
    // A table that is compared on the way is looked at in the same round.
    for (const table of compared.values()) {
      for (const key of table.live.foreignKeys) {
        if (!key.parentHasRows || (await count(session, danglingSql(table, key))) === 0) continue;
        const parent = compared.get(key.parent) ?? (await compare(key.parent));
        if (parent !== null && (await wantParents(session, table, key, parent)) > 0) found = true;
      }
    }
  }
};

/** Parents first, so that each row finds what it refers to; within a circle the order is that of the names. */
export const parentsFirst = (tables: readonly RowDifferences[]): readonly RowDifferences[] => {
  const byLabel = new Map(tables.map((table) => [table.live.label, table]));
  const ordered = new Set<RowDifferences>();
  const visiting = new Set<string>();
  const visit = (table: RowDifferences): void => {
    if (visiting.has(table.live.label)) return;
    visiting.add(table.live.label);
    for (const { parent } of table.live.foreignKeys) {
      const found = byLabel.get(parent);
      if (found !== undefined) visit(found);
    }
    ordered.add(table);
  };
  for (const table of tables) visit(table);
  return [...ordered];
};
