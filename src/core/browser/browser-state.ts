/**
 * What a person who looks into a recovery point has before them: a trail of levels, the last one shown, and what is being typed. Data alone:
 * keys change it, results of work arrive in it, and a screen draws it.
 */
import type { PointId } from "../../model/identifiers.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { ExactPlace } from "../granular/open-place.ts";
import type { CapturedTable } from "../ports/driver.ts";
import type { FolderEntry } from "../ports/vault-snapshots.ts";

/** One line of a level. `name` is what is shown and searched. */
export type BrowserRow = { readonly name: string } & (
  | { readonly kind: "component"; readonly captured: CapturedComponent; readonly missing: boolean }
  | { readonly kind: "table"; readonly table: CapturedTable }
  | { readonly kind: "entry"; readonly entry: FolderEntry }
  /** One state of a file or table; the points that hold it, newest first. */
  | {
      readonly kind: "version";
      readonly points: readonly PointId[];
      readonly entry: FolderEntry | null;
      readonly table: CapturedTable | null;
    }
  /** Of one file or table, or of the keys. */
  | { readonly kind: "fact"; readonly text: string }
);

export type BrowserLevel = {
  readonly kind: "point" | "tables" | "folder" | "versions" | "facts" | "keys";
  /** What it shows. */
  readonly place: ExactPlace;
  /** The same as it would be typed: `7f3a91c2:uploads:invoices`. */
  readonly title: string;
  /** Where it comes from, in a person's words. */
  readonly about: string;
  readonly rows: readonly BrowserRow[];
  /** Letters that the names of the visible rows hold; empty for all rows. */
  readonly search: string;
  /** Indexes of the rows that the search leaves; null for all, which then need no list of their own. */
  readonly visible: readonly number[] | null;
  /** Of what is visible: the row that keys act on, and the first one on the screen. */
  readonly cursor: number;
  readonly top: number;
};

export type BrowserMode =
  | { readonly kind: "look" }
  /** Letters narrow the level; `from` is the row to go back to. */
  | { readonly kind: "search"; readonly from: number }
  /** The folder for what is extracted is typed. */
  | { readonly kind: "target"; readonly place: ExactPlace; readonly name: string; readonly typed: string }
  | { readonly kind: "work"; readonly what: string };

export type BrowserState = {
  /** Never empty; the last one is shown. */
  readonly trail: readonly [...BrowserLevel[], BrowserLevel];
  readonly mode: BrowserMode;
  readonly message: { readonly text: string; readonly failed: boolean } | null;
  /** Rows of a level that the screen shows at once. */
  readonly pageRows: number;
  /** Where things were extracted to last; offered again. */
  readonly folder: string;
};

/** What a key asks the world for. */
export type BrowserEffect =
  /** `row` leads there, in the level that is `about` the same point: what it knows of a file need not be read again. */
  | { readonly kind: "open"; readonly place: ExactPlace; readonly row: BrowserRow; readonly about: string }
  /** Shows what `place` is in, in stead of what is shown. */
  | { readonly kind: "rise"; readonly place: ExactPlace }
  | { readonly kind: "versions"; readonly place: ExactPlace }
  | { readonly kind: "extract"; readonly place: ExactPlace; readonly folder: string; readonly name: string }
  /** Stops the work that goes on. */
  | { readonly kind: "stop" }
  | { readonly kind: "quit" };

export type BrowserKey = {
  /** As Node names it: `up`, `return`, `escape`, `a`; `ctrl-a` with the control key. */
  readonly name: string;
  /** What it writes; empty for a key that writes nothing. */
  readonly text: string;
};

export type Pressed = { readonly state: BrowserState; readonly effect: BrowserEffect | null };

export const openBrowser = (level: BrowserLevel): BrowserState => ({
  trail: [level],
  mode: { kind: "look" },
  message: null,
  pageRows: 20,
  folder: ".",
});

export const shownLevel = ({ trail }: BrowserState): BrowserLevel => trail[trail.length - 1] ?? trail[0];

/** A level as it is first shown: all of it, from its beginning. */
export const freshLevel = (level: Pick<BrowserLevel, "kind" | "place" | "title" | "about" | "rows">): BrowserLevel => ({
  ...level,
  search: "",
  visible: null,
  cursor: 0,
  top: 0,
});

export const visibleCount = ({ visible, rows }: BrowserLevel): number => visible?.length ?? rows.length;

/** @param at of what is visible */
export const visibleRow = ({ visible, rows }: BrowserLevel, at: number): BrowserRow | undefined =>
  rows[visible === null ? at : (visible[at] ?? -1)];

export const replaceLevel = (state: BrowserState, level: BrowserLevel): BrowserState => ({
  ...state,
  trail: [...state.trail.slice(0, -1), level],
});

/** The row that keys act on is always one of the page's. */
export const moveCursor = (level: BrowserLevel, to: number, pageRows: number): BrowserLevel => {
  const last = Math.max(0, visibleCount(level) - 1);
  const cursor = Math.min(last, Math.max(0, to));
  const top = Math.min(Math.max(level.top, cursor - pageRows + 1), cursor);
  return { ...level, cursor, top: Math.min(top, Math.max(0, last - pageRows + 1)) };
};

export const resizeBrowser = (state: BrowserState, pageRows: number): BrowserState => {
  const level = shownLevel(state);
  return { ...replaceLevel(state, moveCursor(level, level.cursor, pageRows)), pageRows };
};
