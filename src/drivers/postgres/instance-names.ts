/** Names of restored and of retired databases, within what the server allows, and how SQL text is quoted. */
import { createHash } from "node:crypto";
import { escapeIdentifier, escapeLiteral } from "pg";

/** The server cuts names here, without a word. */
const longestNameBytes = 63;

/** `shop` and `_r42` to `shop_r42`; a name that would be cut keeps its beginning and gets a hash, so that two do not become one. */
const withSuffix = (database: string, suffix: string): string => {
  if (Buffer.byteLength(database + suffix) <= longestNameBytes) return database + suffix;
  const tail = `~${createHash("sha256").update(database).digest("hex").slice(0, 8)}${suffix}`;
  let head = "";
  for (const character of database) {
    if (Buffer.byteLength(head + character + tail) > longestNameBytes) break;
    head += character;
  }
  return head + tail;
};

export const instanceName = (database: string, run: number): string => withSuffix(database, `_r${run}`);

export const retiredName = (database: string, run: number): string => withSuffix(database, `_old${run}`);

/** Was this name made by the two functions above for this database, whatever the run? */
export const isDerivedName = (database: string, name: string): boolean => {
  const match = /_(r|old)(\d+)$/.exec(name);
  if (match === null) return false;
  const run = Number(match[2]);
  return name === (match[1] === "r" ? instanceName(database, run) : retiredName(database, run));
};

export const quoteName = escapeIdentifier;

export const quoteText = escapeLiteral;
