/** Columns of all tables of a database that are stored, with those of the primary key; generated ones follow from the others. */
import { type SqlAccess, askSql, numberOf, textOf } from "./sql-client.ts";
import { quoteText } from "./sql-text.ts";

export type StoredColumn = {
  readonly name: string;
  readonly isKey: boolean;
  /** `decimal`. */
  readonly dataType: string;
};

/** By table, in the order of the columns. */
export const readStoredColumns = async (
  access: SqlAccess,
  database: string,
): Promise<ReadonlyMap<string, readonly StoredColumn[]>> => {
  const rows = await askSql(
    access,
    `SELECT TABLE_NAME AS tbl, COLUMN_NAME AS name, COLUMN_KEY = 'PRI' AS is_key, DATA_TYPE AS data_type FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = ${quoteText(database)} AND (GENERATION_EXPRESSION IS NULL OR GENERATION_EXPRESSION = '')
      ORDER BY TABLE_NAME, ORDINAL_POSITION;`,
  );
  const columns = rows.map((row) => ({
    table: textOf(row, "tbl"),
    column: { name: textOf(row, "name"), isKey: numberOf(row, "is_key") === 1, dataType: textOf(row, "data_type") },
  }));
  return new Map(
    [...Map.groupBy(columns, ({ table }) => table)].map(([table, all]) => [table, all.map(({ column }) => column)]),
  );
};
