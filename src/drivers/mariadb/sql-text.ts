/** Names and values as MariaDB reads them back, whatever the session's modes are. */
import { derivedNames } from "../../core/text/derived-names.ts";

/** 64 characters are allowed; as bytes they fit everywhere. */
const longestNameBytes = 64;

export const { instanceName, retiredName, isDerivedName } = derivedNames(longestNameBytes);

export const quoteName = (name: string): string => `\`${name.replaceAll("`", "``")}\``;

/** In hexadecimal digits: neither NO_BACKSLASH_ESCAPES nor ANSI_QUOTES changes what it says. */
export const quoteText = (text: string): string =>
  text === "" ? "''" : `CONVERT(0x${Buffer.from(text).toString("hex")} USING utf8mb4)`;

/** `COMMENT=` and the like take a literal only; what stands in it is our own and holds neither quotes nor backslashes. */
export const plainLiteral = (text: string): string => {
  if (/['\\\n]/.test(text)) throw new Error(`"${text}" is no plain literal`);
  return `'${text}'`;
};

/** An account as the server tells it, `shop@%`, as GRANT and DEFINER take it. */
export const quoteAccount = (account: string): string => {
  const at = account.lastIndexOf("@");
  return at < 0 ? quoteName(account) : `${quoteName(account.slice(0, at))}@${quoteName(account.slice(at + 1))}`;
};

/** `shop`.`orders`. */
export const inDatabase = (database: string, name: string): string => `${quoteName(database)}.${quoteName(name)}`;

const momentPattern = /^refloat_moment_[0-9a-f]{16}$/;

/** Of a table that is never made: a statement about it stands in the log, and marks a moment. @param id 16 hexadecimal digits */
export const momentName = (id: string): string => `refloat_moment_${id}`;

export const isMomentName = (name: string): boolean => momentPattern.test(name);

/** In GRANT a database is a pattern: `_` and `%` of its name are escaped. */
export const escapePattern = (name: string): string => name.replaceAll(/[_%]/g, String.raw`\$&`);
