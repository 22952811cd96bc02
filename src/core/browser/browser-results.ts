/** What comes back from the world while a point is looked into: a level to show, something extracted, an error, or how far work is. */
import { rowName } from "./browser-places.ts";
import { type BrowserLevel, type BrowserState, moveCursor, replaceLevel, shownLevel } from "./browser-state.ts";

const looking = (state: BrowserState): BrowserState => ({ ...state, mode: { kind: "look" }, message: null });

export const enterLevel = (state: BrowserState, level: BrowserLevel): BrowserState => ({
  ...looking(state),
  trail: [...state.trail, level],
});

/** The level above takes the place of what is shown, with the cursor on where one comes from. */
export const riseToLevel = (state: BrowserState, level: BrowserLevel): BrowserState => {
  const name = rowName(shownLevel(state).place);
  const from = level.rows.findIndex((row) => row.name === name);
  return replaceLevel(looking(state), moveCursor(level, from, state.pageRows));
};

export const tellBrowser = (state: BrowserState, text: string, failed = false): BrowserState => ({
  ...looking(state),
  message: { text, failed },
});

/** How far the work is; nothing once it has ended. */
export const tellWork = (state: BrowserState, what: string): BrowserState =>
  state.mode.kind === "work" ? { ...state, mode: { kind: "work", what } } : state;
