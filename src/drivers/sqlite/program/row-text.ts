/**
 * Rows as text for people and other programs: CSV with a header, nulls empty and empty texts quoted; or the lines that PostgreSQL's COPY
 * takes. A blob is `\x` and its bytes in hex, as there. Text is UTF-8, whatever the encoding of the database.
 */
import type { RowFormat } from "../../../core/ports/driver.ts";
import type { ReadRow, RowValue } from "./read-rows.ts";

type Text = { readonly kind: "null" } | { readonly kind: "plain" | "text"; readonly bytes: Buffer };

const realText = (value: number): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "" : value > 0 ? "Inf" : "-Inf";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
};

const decoders = { "UTF-16le": "utf-16le", "UTF-16be": "utf-16be" } as const;

/** @param encoding as PRAGMA encoding says it */
export const createRowText = (format: RowFormat, encoding: string) => {
  const label = Object.hasOwn(decoders, encoding) ? decoders[encoding as keyof typeof decoders] : null;
  const decoder = label === null ? null : new TextDecoder(label, { ignoreBOM: true });

  const textOf = (value: RowValue, isText: boolean): Text => {
    if (value === null) return { kind: "null" };
    if (typeof value === "bigint") return { kind: "plain", bytes: Buffer.from(String(value)) };
    if (typeof value === "number") return { kind: "plain", bytes: Buffer.from(realText(value)) };
    if (!isText) return { kind: "text", bytes: Buffer.from(`\\x${Buffer.from(value).toString("hex")}`) };
    return { kind: "text", bytes: Buffer.from(decoder === null ? value : decoder.decode(value)) };
  };
  // Latin-1 maps each byte to one character and back.
  const field = (value: RowValue, isText: boolean): string => {
    const text = textOf(value, isText);
    if (text.kind === "null") return format === "csv" ? "" : String.raw`\N`;
    const bytes = text.bytes.toString("latin1");
    return format === "csv" ? csvField(bytes) : copyField(bytes);
  };
  return {
    header: (columns: readonly string[]): Buffer =>
      format === "csv"
        ? Buffer.from(`${columns.map((name) => csvField(Buffer.from(name).toString("latin1"))).join(",")}\n`, "latin1")
        : Buffer.alloc(0),
    row: ({ values, isText }: ReadRow): Buffer =>
      Buffer.from(
        `${values.map((value, column) => field(value, isText(column))).join(format === "csv" ? "," : "\t")}\n`,
        "latin1",
      ),
  };
};

/** An empty field is null, so an empty text is quoted. */
const csvField = (text: string): string =>
  text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

const escapes: Readonly<Record<string, string>> = {
  "\\": String.raw`\\`,
  "\b": String.raw`\b`,
  "\f": String.raw`\f`,
  "\n": String.raw`\n`,
  "\r": String.raw`\r`,
  "\t": String.raw`\t`,
  "\v": String.raw`\v`,
};

const copyField = (text: string): string => text.replaceAll(/[\\\b\f\n\r\t\v]/g, (letter) => escapes[letter] ?? letter);
