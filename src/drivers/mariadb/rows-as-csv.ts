/** Rows of a table as CSV with a header, as people review them; what is binary as SQL spells it. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { isBinaryType } from "./binary-types.ts";
import type { Row } from "./sql-client.ts";
import { quoteName } from "./sql-text.ts";
import type { StoredColumn } from "./stored-columns.ts";

const csvField = (value: string | null | undefined): string => {
  if (value === null || value === undefined) return "";
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
};

/** An answer is text: bytes that are no text would be others on the other side. */
const fieldSql = ({ name, dataType }: StoredColumn): string => {
  const column = `a.${quoteName(name)}`;
  if (dataType === "bit") return `${column} + 0`;
  if (!isBinaryType(dataType)) return column;
  // The server makes null of a text that is longer than it sends, which would be read as a value that was not there.
  return `CASE WHEN LENGTH(${column}) = 0 THEN '' WHEN 2 * LENGTH(${column}) + 2 > @@max_allowed_packet
    THEN CONCAT('(', LENGTH(${column}), ' bytes, more than max_allowed_packet lets be written)') ELSE CONCAT('0x', LOWER(HEX(${column}))) END`;
};

/** @param columns of the table with the alias `a` */
export const exportedSql = (columns: readonly StoredColumn[]): string =>
  columns.map((column) => `${fieldSql(column)} AS ${quoteName(column.name)}`).join(", ");

const pieceLength = 65_536;

/** @param rows as `exportedSql` asks for them */
export async function* csvOf(columns: readonly StoredColumn[], rows: AsyncIterable<Row>): ByteStream {
  let text = `${columns.map(({ name }) => csvField(name)).join(",")}\n`;
  for await (const row of rows) {
    text += `${columns.map(({ name }) => csvField(row[name])).join(",")}\n`;
    if (text.length < pieceLength) continue;
    yield Buffer.from(text);
    text = "";
  }
  yield Buffer.from(text);
}
