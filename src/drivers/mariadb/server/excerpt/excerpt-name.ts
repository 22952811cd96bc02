/**
 * What a person calls a part of a whole MariaDB server: `DATABASE` or `DATABASE/TABLE`. Names stand as they are; one that holds a slash or a quote is put in
 * double quotes, which are doubled within.
 */

export type ExcerptName = {
  readonly database: string;
  /** Null for all of the database. */
  readonly table: string | null;
};

const part = String.raw`"(?:[^"]|"")+"|[^"/]+`;
const pattern = new RegExp(String.raw`^(?<database>${part})(?:/(?<table>${part}))?$`, "s");

const plain = (word: string): string => (word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word);

/** @returns null for words of no such form */
export const parseExcerptName = (typed: string): ExcerptName | null => {
  const { database, table } = pattern.exec(typed)?.groups ?? {};
  return database === undefined
    ? null
    : { database: plain(database), table: table === undefined ? null : plain(table) };
};

const format = (name: string): string => (/^[^"/]+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** As it can be typed. */
export const formatExcerptName = ({ database, table }: ExcerptName): string =>
  table === null ? format(database) : `${format(database)}/${format(table)}`;
