/** Which database a statement of a definition names, as a binary log has it: bytes of UTF-8 as Latin-1. Not a parser of SQL: only the head of the statement is read. */

const name = "(?:`(?<quoted>[^`]+)`|(?<plain>[\\w$\\u0080-\\u00ff]+))";
const exists = "(?:IF\\s+(?:NOT\\s+)?EXISTS\\s+)?";

/** What an index is called bears no database; the table behind its ON does. */
const ofIndex = new RegExp(
  `^\\s*(?:CREATE|DROP)\\s+(?:\\w+\\s+){0,4}?INDEX\\s+${exists}(?:\`[^\`]+\`|[^\\s(]+)\\s+(?:USING\\s+\\w+\\s+)?ON\\s+${name}\\s*\\.`,
  "i",
);
/** `ALGORITHM=`, `DEFINER=` and the like may stand before the kind of object. */
const ofObject = new RegExp(
  `^\\s*(?:CREATE|ALTER|DROP|RENAME)\\s+(?:\\S+\\s+){0,8}?(?:TABLES?|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|SEQUENCE|PACKAGE(?:\\s+BODY)?)\\s+${exists}${name}\\s*\\.`,
  "i",
);
const ofTruncate = new RegExp(`^\\s*TRUNCATE\\s+(?:TABLE\\s+)?${name}\\s*\\.`, "i");

/** Where it stands before the object's own name; what is behind that, such as the alias of a table, is none. @returns undefined where it names none */
export const namedDatabase = (sql: string): string | undefined => {
  for (const pattern of [ofIndex, ofTruncate, ofObject]) {
    const { quoted, plain } = pattern.exec(sql)?.groups ?? {};
    const found = quoted ?? plain;
    if (found !== undefined) return found;
  }
  return undefined;
};
