/** Signs that lanes of time are drawn with. */
import type { Screen } from "./screen.ts";

const signs = { point: "●", mark: "▲" } as const;
const asciiSigns = { point: "o", mark: "^" } as const satisfies Record<keyof typeof signs, string>;

export type LaneSigns = Readonly<Record<keyof typeof signs, string>>;

export const laneSigns = ({ ascii }: Screen): LaneSigns => (ascii === true ? asciiSigns : signs);
