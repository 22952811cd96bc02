/**
 * What every screen is given: how to paint, how wide to be, whose clock to show. Screens are pure functions from data to text without a trailing
 * newline; they know no terminal and no colour of their own.
 */

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "inverse";

export type Paint = (style: Style, text: string) => string;

export type Screen = {
  readonly paint: Paint;
  /** Columns. Text is wrapped or cut to it where that loses nothing that matters. */
  readonly width: number;
  /** IANA name: times are shown on this zone's clocks. */
  readonly timeZone: string;
  /** The terminal's character set has no signs beyond ASCII. */
  readonly ascii?: boolean;
  /** A command as it has to be typed here; as it stands where nothing else is said. */
  readonly asTyped?: (line: string) => string;
};

/** The text with the commands that it names as they have to be typed here. */
export const asTypedOn = ({ asTyped = (same) => same }: Pick<Screen, "asTyped">, text: string): string => asTyped(text);

export const plainPaint: Paint = (_style, text) => text;

const colour = /^\[[0-9;]*m/;

/**
 * File names, answers of servers and the output of programs reach a screen as they are. Whatever in them would move a terminal's cursor, rewrite what
 * stands above or turn text around becomes U+FFFD; colours, which a Paint has put there, stay.
 */
export const printable = (text: string): string =>
  text.replaceAll(/\p{Cc}|\p{Bidi_Control}/gu, (character, offset: number) => {
    if (character === "\n") return character;
    if (character === "\t") return " ";
    return character === "\u001B" && colour.test(text.slice(offset + 1)) ? character : "\uFFFD";
  });

/** Lines of text; what is null or empty is left out. */
export const lines = (...parts: readonly (string | null | readonly string[])[]): string =>
  printable(
    parts
      .flat()
      .filter((part): part is string => part !== null && part !== "")
      .join("\n"),
  );

/**
 * `next: refloat points shop`, and below it, aligned, `  or: refloat cancel 42`: each command on a line of its own, since a line is what is copied
 * into a shell.
 */
export const nextLine = (screen: Pick<Screen, "paint" | "asTyped">, ...commands: readonly string[]): string =>
  commands
    .map((command, index) => `${index === 0 ? "next" : "  or"}: ${screen.paint("bold", asTypedOn(screen, command))}`)
    .join("\n");
