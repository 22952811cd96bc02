/** How many rows have a rowid beyond the largest that a table had: rows that came since, found without reading the others. */
import type { NamedDatabase } from "./open-database.ts";
import { named, openToRead, quoteName } from "./open-database.ts";
import { readTableShapes } from "./table-shapes.ts";

export type EstimateRequest = {
  readonly databases: readonly (NamedDatabase & {
    /** By table: the largest rowid then, decimal; null for an empty table. */
    readonly largest: Readonly<Record<string, string | null>>;
  })[];
  readonly busyTimeoutMs: number;
};

export type NewRows = { readonly name: string; readonly table: string; readonly rows: number };

export const estimateRows = ({ databases, busyTimeoutMs }: EstimateRequest): readonly NewRows[] =>
  databases.flatMap(({ name, path, largest }) =>
    named(path, busyTimeoutMs, () => {
      const database = openToRead(path, busyTimeoutMs);
      try {
        return readTableShapes(database).tables.flatMap((table): readonly NewRows[] => {
          if (table.rowid === null || table.isVirtual) return [];
          const then = Object.hasOwn(largest, table.name) ? (largest[table.name] ?? null) : null;
          const beyond = then === null ? "" : ` WHERE ${table.rowid} > ${BigInt(then)}`;
          const row = database.prepare(`SELECT count(*) AS rows FROM main.${quoteName(table.name)}${beyond}`).get();
          const rows = Number(row?.["rows"] ?? 0);
          return rows === 0 ? [] : [{ name, table: table.name, rows }];
        });
      } finally {
        database.close();
      }
    }),
  );
