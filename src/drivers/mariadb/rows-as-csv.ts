/** Rows of a table as CSV with a header, as people review them; what is binary as SQL spells it. */
import { isBinaryType } from "./binary-types.ts";
import type { Row } from "./sql-client.ts";
import { quoteName } from "./sql-text.ts";
import type { StoredColumn } from "./stored-columns.ts";

const csvField = (value: string | null | undefined): string => {
  if (value === null || value === undefined) return "";
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
};

/** An answer is text: bytes that are no text would be others on the other side. @param columns of the table with the alias `a` */
export const exportedSql = (columns: readonly StoredColumn[]): string =>
  columns
    .map(({ name, dataType }) => {
      const column = `a.${quoteName(name)}`;
      return isBinaryType(dataType)
        ? `IF(${column} = '', '', CONCAT('0x', LOWER(HEX(${column})))) AS ${quoteName(name)}`
        : column;
    })
    .join(", ");

/** @param rows as `exportedSql` asks for them */
export const csvOf = (columns: readonly StoredColumn[], rows: readonly Row[]): string =>
  [columns.map(({ name }) => csvField(name)), ...rows.map((row) => columns.map(({ name }) => csvField(row[name])))]
    .map((fields) => `${fields.join(",")}\n`)
    .join("");
