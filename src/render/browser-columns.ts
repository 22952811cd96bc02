/** The columns of each kind of level: of fixed widths, so that pages align, with the name last. A narrow screen leaves some out. */
import type { BrowserLevel, BrowserRow } from "../core/browser/browser-state.ts";
import { formatBytes, formatCount } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { shortId } from "../model/identifiers.ts";
import { countsOf } from "./browse-screen.ts";
import { formatMode, formatStamp } from "./entry-line.ts";
import { cutText, padEnd, padStart, textWidth } from "./fit-text.ts";
import type { Screen } from "./screen.ts";

type Column = {
  readonly title: string;
  readonly width: number;
  readonly align: "left" | "right";
  /** Left out on a screen with fewer columns. */
  readonly from: number;
  readonly cell: (row: BrowserRow) => string;
};

const sizeOf = (row: BrowserRow): number | null => {
  switch (row.kind) {
    case "component":
      return row.captured.sizeBytes;
    case "table":
      return row.table.sizeBytes;
    case "entry":
      return row.entry.type === "file" ? row.entry.sizeBytes : null;
    case "version":
      return row.entry?.sizeBytes ?? row.table?.sizeBytes ?? null;
    case "fact":
      return null;
    default:
      return row satisfies never;
  }
};

const entryOf = (row: BrowserRow) => (row.kind === "entry" || row.kind === "version" ? row.entry : null);

const size: Column = {
  title: "SIZE",
  width: 8,
  align: "right",
  from: 24,
  cell: (row) => {
    const bytes = sizeOf(row);
    return bytes === null ? "" : formatBytes(bytes);
  },
};

const modeFrom = 62;
const changedFrom = 50;

const mode: Column = {
  title: "MODE",
  width: 10,
  align: "left",
  from: modeFrom,
  cell: (row) => {
    const entry = entryOf(row);
    return entry === null ? "" : formatMode(entry.type, entry.mode);
  },
};

const changed = (timeZone: string): Column => ({
  title: "CHANGED",
  width: 16,
  align: "left",
  from: changedFrom,
  cell: (row) => {
    const entry = entryOf(row);
    return entry === null ? "" : formatStamp(entry.modifiedNs, timeZone);
  },
});

const rows: Column = {
  title: "ROWS",
  width: 11,
  align: "right",
  from: 36,
  cell: (row) => {
    const table = row.kind === "table" || row.kind === "version" ? row.table : null;
    return table?.rows == null ? "" : formatCount(table.rows);
  },
};

const type: Column = {
  title: "TYPE",
  width: 10,
  align: "left",
  from: 36,
  cell: (row) => (row.kind === "component" ? row.captured.driver : ""),
};

const columnsOf = (level: BrowserLevel, timeZone: string): readonly Column[] => {
  switch (level.kind) {
    case "point":
      return [size, type];
    case "tables":
      return [rows, size];
    case "folder":
      return [mode, size, changed(timeZone)];
    case "versions":
      return level.place.inside instanceof Uint8Array ? [mode, size, changed(timeZone)] : [rows, size];
    case "facts":
    case "keys":
      return [];
    default:
      return level.kind satisfies never;
  }
};

const lastTitle = (kind: BrowserLevel["kind"]): string =>
  kind === "point" ? "COMPONENT" : kind === "tables" ? "TABLE" : kind === "versions" ? "POINTS" : "NAME";

const nameOf = (row: BrowserRow): string => {
  if (row.kind === "component") return row.missing ? `${row.name}  LOST: its snapshot is gone` : row.name;
  if (row.kind !== "entry") return row.name;
  const { linkTarget, treeId } = row.entry;
  return `${row.name}${treeId === null ? "" : "/"}${linkTarget === null ? "" : ` -> ${showName(linkTarget)}`}`;
};

const leadsOn = (row: BrowserRow): boolean =>
  row.kind === "component" || (row.kind === "entry" && row.entry.treeId !== null);

export type BrowserColumns = {
  readonly heading: string;
  /** One row, no wider than was asked for. */
  readonly cells: (row: BrowserRow, painted: boolean) => string;
};

export const browserColumns = (level: BrowserLevel, width: number, { paint, timeZone }: Screen): BrowserColumns => {
  const columns = columnsOf(level, timeZone).filter(({ from }) => width >= from);
  const put = (texts: readonly string[]): string =>
    columns
      .map(({ align, width: wide }, at) =>
        (align === "right" ? padStart : padEnd)(cutText(texts[at] ?? "", wide), wide).concat("  "),
      )
      .join("");
  return {
    heading: put(columns.map(({ title }) => title)) + lastTitle(level.kind),
    cells: (row, painted) => {
      const before = put(columns.map(({ cell }) => cell(row)));
      const name = cutText(nameOf(row), Math.max(1, width - textWidth(before)));
      if (!painted) return before + name;
      if (row.kind === "component" && row.missing) return before + paint("red", name);
      return before + (leadsOn(row) ? paint("cyan", name) : name);
    },
  };
};

/** What the columns do not say of the row that keys act on. */
export const rowDetail = (row: BrowserRow, width: number, timeZone: string): string => {
  switch (row.kind) {
    case "component":
      return countsOf(row.captured);
    case "table":
      return row.table.sha256 === null ? "" : `SHA-256 ${shortId(row.table.sha256)}`;
    case "entry":
    case "version": {
      const { entry } = row;
      if (entry === null) return "";
      return [
        ...(width < modeFrom ? [formatMode(entry.type, entry.mode)] : []),
        ...(width < changedFrom ? [formatStamp(entry.modifiedNs, timeZone)] : []),
        ...(width < modeFrom || entry.user === "" ? [] : [`${entry.user}:${entry.group}`]),
      ].join("  ");
    }
    case "fact":
      return "";
    default:
      return row satisfies never;
  }
};
