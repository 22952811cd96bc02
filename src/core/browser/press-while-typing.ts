/** Keys while something is typed: letters to search for, or the folder that something is extracted to. */
import {
  type BrowserKey,
  type BrowserMode,
  type BrowserState,
  type Pressed,
  moveCursor,
  replaceLevel,
  shownLevel,
} from "./browser-state.ts";
import { searchLevel } from "./search-level.ts";

type Typing = Extract<BrowserMode, { readonly kind: "search" | "target" }>;

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

/** @returns null for a key that changes no text */
const edited = (text: string, key: BrowserKey): string | null => {
  switch (key.name) {
    case "backspace":
      return [...segmenter.segment(text)]
        .slice(0, -1)
        .map(({ segment }) => segment)
        .join("");
    case "ctrl-u":
      return "";
    case "ctrl-w":
      return text.replace(/[^/\s]*[/\s]*$/u, "");
    default:
      return key.text === "" ? null : text + key.text;
  }
};

const only = (state: BrowserState): Pressed => ({ state, effect: null });

const looking = (state: BrowserState): BrowserState => ({ ...state, mode: { kind: "look" } });

export const pressWhileTyping = (state: BrowserState, mode: Typing, key: BrowserKey): Pressed =>
  mode.kind === "search" ? whileSearching(state, mode, key) : whileNaming(state, mode, key);

const whileSearching = (
  state: BrowserState,
  { from }: Extract<Typing, { readonly kind: "search" }>,
  key: BrowserKey,
): Pressed => {
  const level = shownLevel(state);
  const { pageRows } = state;
  const giveUp = (): Pressed => {
    const all = searchLevel(level, "", pageRows);
    return only(looking(replaceLevel(state, moveCursor(all, from, pageRows))));
  };
  switch (key.name) {
    case "return":
    case "enter":
      return only(looking(state));
    case "escape":
    case "ctrl-c":
      return giveUp();
    case "up":
      return only(replaceLevel(state, moveCursor(level, level.cursor - 1, pageRows)));
    case "down":
      return only(replaceLevel(state, moveCursor(level, level.cursor + 1, pageRows)));
    default:
      break;
  }
  if (key.name === "backspace" && level.search === "") return giveUp();
  const search = edited(level.search, key);
  return only(search === null ? state : replaceLevel(state, searchLevel(level, search, pageRows)));
};

const whileNaming = (
  state: BrowserState,
  mode: Extract<Typing, { readonly kind: "target" }>,
  key: BrowserKey,
): Pressed => {
  const { place, name, typed } = mode;
  switch (key.name) {
    case "return":
    case "enter":
      if (typed === "") return only({ ...state, message: { text: "name a folder, or Esc", failed: false } });
      return {
        state: { ...state, mode: { kind: "work", what: `extracting ${name}` }, folder: typed },
        effect: { kind: "extract", place, folder: typed, name },
      };
    case "escape":
    case "ctrl-c":
      return only({ ...looking(state), message: { text: "nothing was extracted", failed: false } });
    default:
      break;
  }
  const text = edited(typed, key);
  return only(text === null ? state : { ...state, mode: { ...mode, typed: text } });
};
