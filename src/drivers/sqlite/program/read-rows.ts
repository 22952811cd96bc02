/**
 * Rows with each value as it is stored: 64-bit integers whole, text as its bytes, so that text which is not valid in the database's
 * encoding, or holds a NUL, comes out as it went in.
 */
import type { DatabaseSync } from "node:sqlite";
import { quoteName } from "./open-database.ts";

/** A text is told from a blob by `isText`. */
export type RowValue = null | bigint | number | Uint8Array;
export type ReadRow = { readonly values: readonly RowValue[]; readonly isText: (column: number) => boolean };

const perMask = 60;

/** @param from a table expression @param columns names of its columns; `alias` stands before them */
export const rowsSql = (columns: readonly string[], from: string, alias = ""): string => {
  const names = columns.map((name) => `${alias}${quoteName(name)}`);
  const values = names.map((name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END`);
  const masks: string[] = [];
  for (let at = 0; at < names.length; at += perMask) {
    const bits = names.slice(at, at + perMask).map((name, bit) => `((typeof(${name}) = 'text') << ${bit})`);
    masks.push(bits.join(" | "));
  }
  return `SELECT ${[...values, ...masks].join(", ")} FROM ${from}`;
};

/** @param sql from `rowsSql` with `width` columns */
export function* readRows(database: DatabaseSync, sql: string, width: number): Generator<ReadRow> {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  for (const row of statement.iterate() as unknown as Iterable<readonly RowValue[]>) {
    const isText = (column: number): boolean =>
      (((row[width + Math.floor(column / perMask)] as bigint) >> BigInt(column % perMask)) & 1n) === 1n;
    yield { values: row.slice(0, width), isText };
  }
}
