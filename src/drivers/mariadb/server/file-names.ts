/**
 * Names of databases and tables as those of their folders and files: letters, digits and `_` as they are, what else there is as four digits (`@002f`), and letters of
 * alphabets that have two cases by two characters that only the server's own table explains.
 * Source: MariaDB's character set `filename`.
 */
import { type SqlAccess, askSql, textOf } from "../sql-client.ts";

const letterPattern = /@(?<digits>[0-9a-f]{4})|(?<told>@[^]{2})|[^]/g;

/** Letter by letter; null for one that only the server can tell. */
const lettersOf = (encoded: string): readonly (string | null)[] =>
  [...encoded.matchAll(letterPattern)].map(({ 0: letter, groups = {} }) => {
    const { digits, told } = groups;
    if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 16));
    return told === undefined ? letter : null;
  });

const isAscii = (letter: string): boolean => letter < "\u0080";

/** Could a file bear this name? Yes for one with the same letters, where two of another alphabet may be taken for one another. */
export const mayBeNamed = (
  encoded: string,
  name: string,
  { ignoresCase }: { readonly ignoresCase: boolean },
): boolean => {
  const plain = (text: string): string => (ignoresCase ? text.toLowerCase() : text);
  const letters = lettersOf(encoded);
  return (
    letters.length === name.length &&
    letters.every((letter, at) => {
      const other = name.charAt(at);
      return letter === null ? !isAscii(other) : plain(letter) === plain(other);
    })
  );
};

/** With the letters that only the server can tell as they stand in the file's name. */
export const plainName = (encoded: string): string =>
  encoded.replaceAll(/@([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

const isPlain = (encoded: string): boolean => !lettersOf(encoded).includes(null);

/** Names of databases by their folders. */
export const namesOfFolders = async (
  access: SqlAccess,
  folders: readonly string[],
): Promise<ReadonlyMap<string, string>> => {
  const odd = folders.filter((folder) => !isPlain(folder));
  if (odd.length === 0) return new Map(folders.map((folder) => [folder, plainName(folder)]));
  const columns = odd.map(
    (folder, index) => `CONVERT(_filename X'${Buffer.from(folder).toString("hex")}' USING utf8mb4) AS n${index}`,
  );
  const [row] = await askSql(access, `SELECT ${columns.join(", ")};`);
  const told = new Map(odd.map((folder, index) => [folder, textOf(row, `n${index}`)]));
  return new Map(folders.map((folder) => [folder, told.get(folder) || plainName(folder)]));
};
