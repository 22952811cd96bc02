/** Tables of text: columns as wide as they need, one of them wrapped when the whole would be wider than the screen. */
import { cutText, padEnd, padStart, textWidth, wrapText } from "./fit-text.ts";
import { type Screen, type Style, asTypedOn } from "./screen.ts";

export type Column = {
  readonly title: string;
  readonly align?: "left" | "right";
  /** This column gives way when the screen is too narrow. At most one. */
  readonly wraps?: boolean;
  /** Columns left empty after this one; two when left out. */
  readonly gap?: number;
};

export type Cell = string | { readonly text: string; readonly style: Style };

/**
 * A row that is a `note` stands across all columns, after the first column's indent; one with a `rest` has cells in the first columns, and
 * across all others a text that makes none of them wider.
 */
export type Row =
  | readonly Cell[]
  | { readonly note: string }
  | { readonly cells: readonly Cell[]; readonly rest: string; readonly style: Style };

const plain = (cell: Cell | undefined): string =>
  cell === undefined ? "" : typeof cell === "string" ? cell : cell.text;

const gapOf = ({ gap = 2 }: Column): number => gap;

const smallestWrapped = 20;

export const renderTable = (columns: readonly Column[], rows: readonly Row[], screen: Screen): readonly string[] => {
  const cells = rows.flatMap((row) => (isCells(row) ? [row] : "cells" in row ? [row.cells] : []));
  // Prose alone stands in the column that gives way: commands in it are shown as they have to be typed here.
  const textOf = (cell: Cell | undefined, index: number): string =>
    columns[index]?.wraps === true ? asTypedOn(screen, plain(cell)) : plain(cell);
  const natural = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...cells.map((row) => textWidth(textOf(row[index], index)))),
  );
  const gaps = columns.slice(0, -1).reduce((sum, column) => sum + gapOf(column), 0);
  const total = natural.reduce((sum, width) => sum + width, gaps);
  const over = Math.max(0, total - screen.width);
  const widths = columns.map(({ wraps }, index) => {
    const width = natural[index] ?? 0;
    return wraps === true && over > 0 ? Math.max(Math.min(width, smallestWrapped), width - over) : width;
  });
  const gapAt = (index: number): number => (columns[index] === undefined ? 0 : gapOf(columns[index]));
  const join = (parts: readonly string[]): string =>
    parts
      .map((part, index) => part + " ".repeat(gapAt(index)))
      .join("")
      .trimEnd();
  const pad = (text: string, index: number): string =>
    columns[index]?.align === "right" ? padStart(text, widths[index] ?? 0) : padEnd(text, widths[index] ?? 0);
  const header = screen.paint("dim", join(columns.map(({ title }, index) => pad(title, index))));
  const body = rows.flatMap((row) => {
    if (!isCells(row)) {
      if ("note" in row) return [screen.paint("dim", `  ${row.note}`)];
      const begin = join(row.cells.map((cell, index) => pad(plain(cell), index)));
      const place = widths.slice(0, row.cells.length).reduce((sum, width, index) => sum + width + gapAt(index), 0);
      return [screen.paint(row.style, padEnd(begin, place) + cutText(row.rest, Math.max(8, screen.width - place)))];
    }
    const wrapped = columns.map(({ wraps }, index) =>
      wraps === true ? wrapText(textOf(row[index], index), widths[index] ?? 0) : [textOf(row[index], index)],
    );
    const height = Math.max(...wrapped.map((part) => part.length));
    return Array.from({ length: height }, (_, line) =>
      join(
        columns.map((_column, index) => {
          const text = wrapped[index]?.[line] ?? "";
          const cell = row[index];
          const padded = pad(text, index);
          // Painted after padding: escape codes have no width of their own, and trailing blanks are cut from plain text only.
          return cell === undefined || typeof cell === "string" || text === ""
            ? padded
            : padded.replace(text, () => screen.paint(cell.style, text));
        }),
      ),
    );
  });
  return [header, ...body];
};

const isCells = (row: Row): row is readonly Cell[] => Array.isArray(row);
