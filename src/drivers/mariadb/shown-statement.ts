/** A statement of a log in a person's line: short, and without the values of its texts, which may be passwords (`CONNECTION='mysql://shop:...'`, routines that make users). */

const longest = 100;

/** A name in backticks, or a text; in double quotes only where a text may stand, since some servers are told to write names so. */
const quoted =
  /`[^`]*`|'(?:[^'\\]|\\[^]|'')*'|(?<=(?:[=(,]|\b(?:BY|COMMENT|CONNECTION|PASSWORD|DEFAULT))\s*)"(?:[^"\\]|\\[^]|"")*"/gi;

export const shownStatement = (sql: string): string => {
  const line = sql
    .replaceAll(quoted, (word) =>
      word.startsWith("`") || word.length === 2 ? word : `${word.charAt(0)}...${word.charAt(0)}`,
    )
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length > longest ? `${line.slice(0, longest - 3)}...` : line;
};
