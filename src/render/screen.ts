/**
 * What every screen is given: how to paint, how wide to be, whose clock to show. Screens are pure functions from data to text without a trailing
 * newline; they know no terminal and no colour of their own.
 */

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export type Paint = (style: Style, text: string) => string;

export type Screen = {
  readonly paint: Paint;
  /** Columns. Text is wrapped or cut to it where that loses nothing that matters. */
  readonly width: number;
  /** IANA name: times are shown on this zone's clocks. */
  readonly timeZone: string;
};

export const plainPaint: Paint = (_style, text) => text;

/** Lines of text; what is null or empty is left out. */
export const lines = (...parts: readonly (string | null | readonly string[])[]): string =>
  parts
    .flat()
    .filter((part): part is string => part !== null && part !== "")
    .join("\n");

/** `next: refloat points shop   or: refloat cancel 42` */
export const nextLine = ({ paint }: Screen, ...commands: readonly string[]): string =>
  commands.map((command, index) => `${index === 0 ? "next: " : "   or: "}${paint("bold", command)}`).join("");
