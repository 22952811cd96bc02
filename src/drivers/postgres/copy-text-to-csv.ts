/**
 * Rows of COPY text as CSV with a header, byte for byte as the server's own `COPY ... TO STDOUT (FORMAT csv, HEADER)` writes them. Works on bytes:
 * in every encoding that a server may have, those of the special characters stand for nothing else. Source: PostgreSQL's copyto.c.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { copyFields } from "./copy-fields.ts";

const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;

/** An empty field is null, so an empty text is quoted; so is the one value that would end the data. */
const csvField = (value: string, alone: boolean): string =>
  value === "" || /[",\r\n]/.test(value) || (alone && value === String.raw`\.`) ? quoted(value) : value;

const csvRow = (row: string, columns: number): string => {
  if (columns === 0) return "";
  return copyFields(row)
    .map((value) => (value === null ? "" : csvField(value, columns === 1)))
    .join(",");
};

/** @param columns names of the columns in the order of the rows */
export async function* copyTextToCsv(rows: ByteStream, columns: readonly string[]): ByteStream {
  yield Buffer.from(`${columns.map((name) => csvField(name, false)).join(",")}\n`);
  let begun: string[] = [];
  for await (const chunk of rows) {
    // Latin-1 maps each byte to one character and back.
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
    const end = text.lastIndexOf("\n");
    if (end === -1) {
      begun.push(text);
      continue;
    }
    const whole = begun.join("") + text.slice(0, end);
    begun = [text.slice(end + 1)];
    const csv = whole
      .split("\n")
      .map((row) => `${csvRow(row, columns.length)}\n`)
      .join("");
    yield Buffer.from(csv, "latin1");
  }
}
