/**
 * What a person calls a part of a cluster: `DATABASE`, `DATABASE/TABLE`, `DATABASE/SCHEMA.TABLE`, `DATABASE/SCHEMA.` for all of a schema. Names stand as
 * they are, capitals too; one that holds a slash, a dot or a quote is put in double quotes, as in SQL.
 */

export type ExcerptName =
  | { readonly kind: "database"; readonly database: string }
  | { readonly kind: "schema"; readonly database: string; readonly schema: string }
  /** Without a schema: that of the only table of this name, or the one in `public`. */
  | { readonly kind: "table"; readonly database: string; readonly schema: string | null; readonly table: string };

/** What a temporary server is made for. */
export type ExcerptWish =
  | ExcerptName
  /** Tables that are known by their files, as `relationKey` has them, and by no name; nobody types this. */
  | { readonly kind: "relations"; readonly database: string; readonly relations: ReadonlySet<string> };

const quoted = String.raw`"(?:[^"]|"")+"`;
const pattern = new RegExp(
  String.raw`^(?<database>${quoted}|[^"/]+)(?:/(?<first>${quoted}|[^"./]+)(?:(?<dot>\.)(?<second>${quoted}|[^"./]+)?)?)?$`,
  "s",
);

const plain = (word: string): string => (word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word);

/** @returns null for words of no such form */
export const parseExcerptName = (typed: string): ExcerptName | null => {
  const { database, first, dot, second } = pattern.exec(typed)?.groups ?? {};
  if (database === undefined) return null;
  const of = { database: plain(database) };
  if (first === undefined) return { kind: "database", ...of };
  if (dot === undefined) return { kind: "table", ...of, schema: null, table: plain(first) };
  if (second === undefined) return { kind: "schema", ...of, schema: plain(first) };
  return { kind: "table", ...of, schema: plain(first), table: plain(second) };
};

const part = (name: string, plainly: RegExp): string => (plainly.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** As it can be typed. */
export const formatDatabase = (name: string): string => part(name, /^[^"/]+$/);

export const formatTable = (schema: string, table: string): string =>
  [schema, table].map((name) => part(name, /^[^"./]+$/)).join(".");

/** A table of a database, as it can be typed; of schema `public` without it. */
export const formatPlace = (database: string, schema: string, table: string): string =>
  `${formatDatabase(database)}/${schema === "public" ? part(table, /^[^"./]+$/) : formatTable(schema, table)}`;
