/**
 * The body of a trigger, out of the statement that made it. The server's catalog has it too, with its texts written anew: without backslashes, and without
 * what a character of four bytes was.
 */
import { isWord, tokensOf } from "./sql-tokens.ts";

/** @param sqlMode under which the trigger was made @returns null for a statement that is no trigger's */
export const triggerBody = (statement: string, sqlMode: string): string | null => {
  const modes = sqlMode.split(",");
  const tokens = tokensOf({
    sql: statement,
    hasAnsiQuotes: modes.includes("ANSI_QUOTES"),
    hasNoBackslashes: modes.includes("NO_BACKSLASH_ESCAPES"),
  });
  const row = tokens?.findIndex(
    (token, at) => isWord(token, "ROW") && isWord(tokens[at - 1], "EACH") && isWord(tokens[at - 2], "FOR"),
  );
  if (tokens === null || row === undefined || row < 0) return null;
  const first = isWord(tokens[row + 1], "FOLLOWS", "PRECEDES") ? row + 3 : row + 1;
  const begin = tokens[first]?.begin;
  return begin === undefined ? null : statement.slice(begin);
};
