/** How values of each type are compared to the letter, shown, and written as SQL that means the same in every session. */
import type { LiveColumn } from "./live-tables.ts";
import { isBinaryType } from "../binary-types.ts";
import { quoteName } from "../sql-text.ts";

const exactNumbers = new Set(["tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"]);
const roundedNumbers = new Set(["float", "double"]);

/** The value as text, null for null: digits for what is binary. @param side an alias, left out where there is one table */
export const textSql = ({ name, dataType }: LiveColumn, side?: string): string => {
  const column = side === undefined ? quoteName(name) : `${side}.${quoteName(name)}`;
  if (isBinaryType(dataType)) return `HEX(${column})`;
  if (dataType === "bit") return `CAST(${column} + 0 AS CHAR CHARACTER SET utf8mb4)`;
  return `CAST(${column} AS CHAR CHARACTER SET utf8mb4)`;
};

/** A comparison with a value has as much beside it. */
const spelledAround = 100;

/** Bytes of the value as a statement spells it, at most: digits are twice as long, and so may escapes be. @param side an alias */
export const spelledBytesSql = ({ name, dataType, collation }: LiveColumn, side: string): string => {
  const factor = isBinaryType(dataType) || collation === null || collation.startsWith("utf8") ? 2 : 3;
  return `${spelledAround} + ${factor} * COALESCE(LENGTH(${side}.${quoteName(name)}), 0)`;
};

/** As they are stored: neither a collation nor a trailing space makes two values one. */
export const sameSql = ({ name }: LiveColumn, a: string, b: string): string =>
  `BINARY ${a}.${quoteName(name)} <=> BINARY ${b}.${quoteName(name)}`;

const escapes: Readonly<Record<string, string>> = {
  "\\": String.raw`\\`,
  "'": String.raw`\'`,
  "\n": String.raw`\n`,
  "\r": String.raw`\r`,
  "\0": String.raw`\0`,
};

/** For a session that reads backslashes as escapes, on one line. */
export const quoteLine = (text: string): string =>
  `'${text.replaceAll(/[\\'\n\r\0]/g, (found) => escapes[found] ?? found)}'`;

/** @param value as `textSql` gives it */
export const literal = ({ dataType }: LiveColumn, value: string | null | undefined): string => {
  if (value == null) return "NULL";
  if (isBinaryType(dataType)) return value === "" ? "''" : `0x${value}`;
  const isNumber = exactNumbers.has(dataType) || dataType === "bit";
  return isNumber && /^-?\d+(?:\.\d+)?$/.test(value) ? value : quoteLine(value);
};

/** Is the value the one that was seen, to the letter? */
export const unchangedSql = (column: LiveColumn, seen: string | null | undefined): string =>
  seen == null ? `${quoteName(column.name)} IS NULL` : `BINARY ${textSql(column)} <=> BINARY ${quoteLine(seen)}`;

/** Is it the row of this key? By the column's own equality, so that the index is used. */
export const keySql = (column: LiveColumn, value: string): string =>
  roundedNumbers.has(column.dataType)
    ? unchangedSql(column, value)
    : `${quoteName(column.name)} = ${literal(column, value)}`;
