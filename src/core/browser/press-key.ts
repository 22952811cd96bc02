/** A key pressed while a point is looked into: the state after it, and what it asks the world for. */
import type { ExactPlace } from "../granular/open-place.ts";
import { browserKeys } from "./browser-keys.ts";
import { extractName, extractVersionName, placeAbove, placeOfRow } from "./browser-places.ts";
import {
  type BrowserEffect,
  type BrowserKey,
  type BrowserState,
  type Pressed,
  freshLevel,
  moveCursor,
  replaceLevel,
  resizeBrowser,
  shownLevel,
  visibleCount,
  visibleRow,
} from "./browser-state.ts";
import { pressWhileTyping } from "./press-while-typing.ts";
import { searchLevel } from "./search-level.ts";

export const pressKey = (state: BrowserState, key: BrowserKey): Pressed => {
  const { mode } = state;
  switch (mode.kind) {
    case "look":
      return look({ ...state, message: null }, key);
    case "work":
      return whileWorking(state, key);
    case "search":
    case "target":
      return pressWhileTyping({ ...state, message: null }, mode, key);
    default:
      return mode satisfies never;
  }
};

const only = (state: BrowserState): Pressed => ({ state, effect: null });

/** Nothing else may happen to what is being read; but nobody must wait for it. */
const whileWorking = (state: BrowserState, { name, text }: BrowserKey): Pressed => {
  if (name === "ctrl-c" || text === "q") return { state, effect: { kind: "quit" } };
  return { state, effect: name === "escape" ? { kind: "stop" } : null };
};

const look = (state: BrowserState, { name, text }: BrowserKey): Pressed => {
  const level = shownLevel(state);
  const move = (to: number): Pressed => only(replaceLevel(state, moveCursor(level, to, state.pageRows)));
  const act = actOf(name, text);
  switch (act) {
    case "up":
      return move(level.cursor - 1);
    case "down":
      return move(level.cursor + 1);
    case "page-up":
      return move(level.cursor - state.pageRows);
    case "page-down":
      return move(level.cursor + state.pageRows);
    case "first":
      return move(0);
    case "last":
      return move(visibleCount(level) - 1);
    case "in":
      return goIn(state);
    case "out":
      return goOut(state);
    case "search":
      return only(
        level.kind === "facts" || level.kind === "keys"
          ? say(state, "there is nothing to search here")
          : { ...state, mode: { kind: "search", from: indexOfCursor(state) } },
      );
    case "extract":
      return extract(state);
    case "versions":
      return versions(state);
    case "keys":
      return only(level.kind === "keys" ? state : showKeys(state));
    case "leave":
      return level.search === "" || name !== "escape"
        ? { state, effect: { kind: "quit" } }
        : only(replaceLevel(state, searchLevel(level, "", state.pageRows)));
    case null:
      return only(state);
    default:
      return act satisfies never;
  }
};

type Act = (typeof browserKeys)[number]["act"];

const acts: ReadonlyMap<string, Act> = new Map(
  browserKeys.flatMap(({ keys, act }) => keys.map((key): [string, Act] => [key, act])),
);

const actOf = (name: string, text: string): Act | null => acts.get(text === "" ? name : text) ?? acts.get(name) ?? null;

const say = (state: BrowserState, text: string): BrowserState => ({ ...state, message: { text, failed: false } });

const indexOfCursor = (state: BrowserState): number => {
  const { visible, cursor } = shownLevel(state);
  return visible === null ? cursor : (visible[cursor] ?? 0);
};

const work = (state: BrowserState, what: string, effect: BrowserEffect): Pressed => ({
  state: { ...state, mode: { kind: "work", what } },
  effect,
});

const goIn = (state: BrowserState): Pressed => {
  const level = shownLevel(state);
  const row = visibleRow(level, level.cursor);
  const place = row === undefined ? null : placeOfRow(level, row);
  if (row === undefined || place === null) return only(state);
  return work(state, "reading the vault", { kind: "open", place, row, about: level.about });
};

const goOut = (state: BrowserState): Pressed => {
  const { trail } = state;
  const below = trail.slice(0, -1);
  const last = below.pop();
  if (last !== undefined) return only(resizeBrowser({ ...state, trail: [...below, last] }, state.pageRows));
  const { place } = shownLevel(state);
  return placeAbove(place) === null
    ? only(say(state, "this is the whole point; q leaves"))
    : work(state, "reading the vault", { kind: "rise", place });
};

/** What the cursor stands on; in the facts of one thing, that thing. */
const meantPlace = (state: BrowserState): ExactPlace | null => {
  const level = shownLevel(state);
  if (level.kind === "facts") return level.place;
  const row = visibleRow(level, level.cursor);
  return row === undefined ? null : placeOfRow(level, row);
};

const extract = (state: BrowserState): Pressed => {
  const place = meantPlace(state);
  if (place === null) return only(say(state, "there is nothing to extract here"));
  const name = state.trail.some(({ kind }) => kind === "versions") ? extractVersionName(place) : extractName(place);
  return only({ ...state, mode: { kind: "target", place, name, typed: state.folder } });
};

const versions = (state: BrowserState): Pressed => {
  const level = shownLevel(state);
  const row = visibleRow(level, level.cursor);
  const place = meantPlace(state);
  const isFolder = row?.kind === "component" || (row?.kind === "entry" && row.entry.treeId !== null);
  if (place === null || isFolder) return only(say(state, "files and tables have versions; go to one of them"));
  if (state.trail.some(({ kind }) => kind === "versions")) return only(say(state, "these are the versions"));
  return work(state, "searching all points for its versions", { kind: "versions", place });
};

const showKeys = (state: BrowserState): BrowserState => ({
  ...state,
  trail: [
    ...state.trail,
    freshLevel({
      kind: "keys",
      place: shownLevel(state).place,
      title: "keys",
      about: "",
      rows: browserKeys.map(({ shown, about }) => ({ kind: "fact", name: shown, text: about })),
    }),
  ],
});
