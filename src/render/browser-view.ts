/**
 * Draws what a person sees who looks into a recovery point: as many lines as the terminal has, none wider than it. Only the rows of the page are
 * formatted, however many the folder has.
 */
import {
  type BrowserLevel,
  type BrowserRow,
  type BrowserState,
  shownLevel,
  visibleCount,
  visibleRow,
} from "../core/browser/browser-state.ts";
import { formatCount } from "../core/text/quantity.ts";
import { browserColumns, rowDetail } from "./browser-columns.ts";
import { breakText, cutText, cutTextStart, padEnd, textWidth, wrapText } from "./fit-text.ts";
import { type Screen, printable } from "./screen.ts";

export type TerminalSize = { readonly columns: number; readonly rows: number };

/** Title, heading of the columns, the line for messages and that for keys. */
const frameRows = 4;

/** What is left for the rows of a level. */
export const browserPageRows = ({ rows }: TerminalSize): number => Math.max(1, rows - frameRows);

const mostMessageRows = 4;

/** @returns at most `size.rows` lines */
export const renderBrowser = (state: BrowserState, size: TerminalSize, screen: Screen): readonly string[] => {
  const level = shownLevel(state);
  const width = size.columns;
  const title = titleLine(level, width, screen);
  const below = bottomLines(state, width, screen);
  const room = Math.max(1, size.rows - below.length - 2);
  const body =
    level.kind === "facts" || level.kind === "keys"
      ? factLines(level, width, room, screen)
      : listLines(level, width, room, screen);
  const filled = [title, ...body, ...Array<string>(Math.max(0, room + 1 - body.length)).fill("")];
  // In a window of a few lines the place and the rows matter more than the keys.
  return [...filled, ...below].slice(0, Math.max(1, size.rows)).map(oneLine);
};

/** A line break in a name of the service's own would push the rest of the picture down. */
const oneLine = (text: string): string => printable(text).replaceAll("\n", "\uFFFD");

const titleLine = (level: BrowserLevel, width: number, { paint }: Screen): string => {
  const counted = countText(level);
  const count = textWidth(counted) + leastTitle > width ? "" : counted;
  const free = Math.max(1, width - textWidth(count));
  const place = cutTextStart(level.title, free);
  const gap = free - textWidth(place);
  const about = level.about === "" || gap < leastTitle ? "" : `  ${cutText(level.about, gap - 4)}`;
  return paint("bold", place) + paint("dim", padEnd(about, gap) + count).trimEnd();
};

/** Columns below which neither a place nor what is said of it could be read. */
const leastTitle = 12;

const countText = (level: BrowserLevel): string => {
  if (level.kind === "facts" || level.kind === "keys") return "";
  const shown = visibleCount(level);
  const at = shown === 0 ? 0 : level.cursor + 1;
  const narrowed = level.search === "" ? "" : ` of ${formatCount(level.rows.length)}`;
  return `  ${formatCount(at)}/${formatCount(shown)}${narrowed}`;
};

/** The mark in front of the row that keys act on: to be seen without any colour. */
const marked = (isCursor: boolean, text: string, width: number, { paint }: Screen): string =>
  isCursor ? paint("inverse", padEnd(`> ${text}`, width)) : `  ${text}`;

const listLines = (level: BrowserLevel, width: number, room: number, screen: Screen): readonly string[] => {
  const count = visibleCount(level);
  const { heading, cells } = browserColumns(level, width - 2, screen);
  const head = screen.paint("dim", cutText(`  ${heading}`, width));
  if (count === 0) return [head, screen.paint("dim", cutText(`  ${emptyText(level)}`, width))];
  // Messages take rows away: the page is moved, not the cursor.
  const top = Math.min(Math.max(level.top, level.cursor - room + 1), level.cursor);
  const lines = [head];
  for (let at = top; at < Math.min(count, top + room); at += 1) {
    const row = visibleRow(level, at);
    if (row === undefined) continue;
    const isCursor = at === level.cursor;
    lines.push(marked(isCursor, cells(row, !isCursor), width, screen));
  }
  return lines;
};

const emptyText = ({ search, kind }: BrowserLevel): string =>
  search === "" ? (kind === "versions" ? "no point holds it" : "empty") : `no name here holds ${search}`;

const labelWidth = 11;

const leastText = 16;

/** From the row of the cursor on: a long value takes as many lines as it needs. */
const factLines = (level: BrowserLevel, width: number, room: number, { paint }: Screen): readonly string[] => {
  const longest = Math.max(labelWidth, ...level.rows.map(({ name }) => textWidth(name) + 2));
  const label = Math.max(0, Math.min(longest, width - leastText));
  const lines = level.rows.slice(level.cursor).flatMap((row) => {
    const text = brokenText(row.kind === "fact" ? row.text : "", Math.max(2, width - label));
    return text.map((line, at) => paint("dim", padEnd(at === 0 ? cutText(row.name, label) : "", label)) + line);
  });
  return ["", ...lines].slice(0, room + 1);
};

/** At blanks where there are any, else anywhere: a name of 255 letters is to be read whole. */
const brokenText = (text: string, width: number): readonly string[] =>
  wrapText(text, width).flatMap((line) => breakText(line, width));

const bottomLines = (state: BrowserState, width: number, screen: Screen): readonly string[] => [
  ...messageLines(state, width, screen),
  screen.paint("dim", keysLine(state, width)),
];

const messageLines = (state: BrowserState, width: number, { paint, timeZone }: Screen): readonly string[] => {
  const { mode, message } = state;
  const level = shownLevel(state);
  if (mode.kind === "search") return [promptLine("/", level.search, width)];
  if (mode.kind === "target") {
    const label = cutText(`extract ${mode.name} `, Math.max(8, width - 24));
    return [promptLine(`${label.trimEnd()} to folder: `, mode.typed, width)];
  }
  if (mode.kind === "work") return [cutText(`${mode.what} ...`, width)];
  if (message !== null) {
    const text = wrapText(message.text, width).map((line) => cutText(line, width));
    return text.slice(0, mostMessageRows).map((line) => (message.failed ? paint("red", line) : line));
  }
  const row: BrowserRow | undefined = visibleRow(level, level.cursor);
  return [paint("dim", row === undefined ? "" : cutText(rowDetail(row, width - 2, timeZone), width))];
};

/** The end of what is typed is what a person looks at. */
const promptLine = (label: string, typed: string, width: number): string => {
  const shown = cutTextStart(typed, Math.max(4, width - textWidth(label) - 1));
  return cutTextStart(`${label}${shown}_`, width);
};

const keysLine = ({ mode }: BrowserState, width: number): string => {
  switch (mode.kind) {
    case "search":
      return fitting(["enter keeps these", "Esc all"], [], width);
    case "target":
      return fitting(["enter extracts", "Esc not"], [], width);
    case "work":
      return fitting(["Esc stops it", "q quit"], [], width);
    case "look":
      return fitting(["q quit", "? keys"], ["enter in", "left up", "/ search", "x extract", "v versions"], width);
    default:
      return mode satisfies never;
  }
};

/** The first words always, then as many of the others as there is room for. */
const fitting = (first: readonly string[], others: readonly string[], width: number): string => {
  const shown = [...first];
  for (const word of others) {
    if (textWidth([...shown, word].join("  ")) <= width) shown.push(word);
  }
  return cutText(shown.join("  "), width);
};
