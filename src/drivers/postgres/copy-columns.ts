/** The columns that a COPY statement of an archive names, as their names are: `COPY public.t (id, "a, b") FROM stdin;`. */

const identifier = /"(?:[^"]|"")*"|[^\s",()]+/g;

/** The list is the last thing in parentheses; a table's own name may hold some, in quotes. */
const columnList = /\((?<list>(?:"(?:[^"]|"")*"|[^"()])*)\)\s+FROM stdin;\s*$/;

/** @returns none for a table without columns */
export const readColumns = (copyStatement: string): readonly string[] =>
  (columnList.exec(copyStatement)?.groups?.["list"]?.match(identifier) ?? []).map((name) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name,
  );
