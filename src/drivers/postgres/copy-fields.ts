/** A row of COPY text as values. Source: PostgreSQL's copyto.c. */

const nullField = String.raw`\N`;

const letters: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

const plain = (field: string): string =>
  field.includes("\\") ? field.replaceAll(/\\(.)/gs, (_, letter: string) => letters[letter] ?? letter) : field;

/** @param row without its end @returns null for null */
export const copyFields = (row: string): readonly (string | null)[] =>
  row.split("\t").map((field) => (field === nullField ? null : plain(field)));
