/** Which key does what. The reader of keys, the help on the screen and that of the command all read this. */

type Act =
  | "up"
  | "down"
  | "page-up"
  | "page-down"
  | "first"
  | "last"
  | "in"
  | "out"
  | "search"
  | "extract"
  | "versions"
  | "keys"
  | "leave";

export type KeyBinding = {
  readonly act: Act;
  readonly keys: readonly string[];
  /** For people. */
  readonly shown: string;
  readonly about: string;
};

export const browserKeys: readonly KeyBinding[] = [
  { act: "up", keys: ["up", "k", "ctrl-p"], shown: "up, k", about: "one line up" },
  { act: "down", keys: ["down", "j", "ctrl-n"], shown: "down, j", about: "one line down" },
  { act: "page-up", keys: ["pageup", "ctrl-b"], shown: "page up", about: "one screen up" },
  {
    act: "page-down",
    keys: ["pagedown", "ctrl-f", " "],
    shown: "page down",
    about: "one screen down; the space bar too",
  },
  { act: "first", keys: ["home", "g"], shown: "home, g", about: "to the first line" },
  { act: "last", keys: ["end", "G"], shown: "end, G", about: "to the last line" },
  {
    act: "in",
    keys: ["return", "enter", "right", "l"],
    shown: "enter, l",
    about: "into it; of a file or table all that is known",
  },
  { act: "out", keys: ["backspace", "left", "h"], shown: "left, h", about: "up to what it lies in; backspace too" },
  { act: "search", keys: ["/"], shown: "/", about: "show only names that hold what is typed; Esc shows all again" },
  { act: "extract", keys: ["x"], shown: "x", about: "extract it; asks for the folder, overwrites nothing" },
  { act: "versions", keys: ["v"], shown: "v", about: "its versions in all points of the service" },
  { act: "keys", keys: ["?"], shown: "?", about: "these keys" },
  { act: "leave", keys: ["q", "escape", "ctrl-c", "ctrl-d"], shown: "q, Esc", about: "leave; Ctrl-C too" },
];
