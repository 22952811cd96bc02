/** Signs that lanes of time are drawn with. */
import type { Screen } from "./screen.ts";

const signs = {
  point: "●",
  doubt: "○",
  mark: "▲",
  /** The log of a component leads to any second. */
  range: "═",
  /** Below a point of which something is true. */
  tick: "▪",
  run: "─",
  cutover: "◆",
  missed: "┄",
  incident: "━",
} as const;

const asciiSigns = {
  point: "o",
  doubt: "x",
  mark: "^",
  range: "=",
  tick: "'",
  run: "-",
  cutover: "#",
  missed: ".",
  incident: "!",
} as const satisfies Record<keyof typeof signs, string>;

export type LaneSigns = Readonly<Record<keyof typeof signs, string>>;

export const laneSigns = ({ ascii }: Screen): LaneSigns => (ascii === true ? asciiSigns : signs);
