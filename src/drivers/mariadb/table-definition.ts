/** `CREATE TABLE` as SHOW CREATE TABLE writes it, taken apart: names, comments and values may hold anything. Pure. */

export type DefinedForeignKey = {
  /** `CONSTRAINT ... FOREIGN KEY ...`, as it stands. */
  readonly text: string;
  readonly name: string;
  readonly columns: readonly string[];
  /** Null for the table's own database. */
  readonly parentDatabase: string | null;
  readonly parent: string;
  readonly parentColumns: readonly string[];
};

export type TableDefinition = {
  readonly name: string;
  /** Columns, keys, checks and periods, in their order; foreign keys are not among them. */
  readonly parts: readonly string[];
  readonly foreignKeys: readonly DefinedForeignKey[];
  /** What stands behind the bracket: ` ENGINE=InnoDB AUTO_INCREMENT=3 ...`, partitions included. */
  readonly options: string;
};

const quotes = new Set(["`", "'"]);

/** The place behind what is quoted there. A quote that is doubled begins the next one. */
const endOfQuoted = (text: string, begin: number): number => {
  const quote = text[begin];
  for (let at = begin + 1; at < text.length; at += 1) {
    if (quote === "'" && text[at] === "\\") at += 1;
    else if (text[at] === quote) return at + 1;
  }
  return text.length;
};

/** Parts between commas that stand in no quotes and no further brackets, and the place of the bracket that ends them. */
const partsBehind = (text: string, begin: number): { readonly parts: readonly string[]; readonly end: number } => {
  const parts: string[] = [];
  let [depth, from] = [0, begin];
  for (let at = begin; at < text.length;) {
    const letter = text[at] ?? "";
    if (quotes.has(letter)) {
      at = endOfQuoted(text, at);
      continue;
    }
    if (depth === 0 && (letter === "," || letter === ")")) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
      if (letter === ")") return { parts, end: at };
    }
    depth += letter === "(" ? 1 : letter === ")" ? -1 : 0;
    at += 1;
  }
  return { parts: [], end: -1 };
};

const quotedName = "`(?:[^`]|``)+`";
const foreignKeyPattern = new RegExp(
  `^CONSTRAINT (?<name>${quotedName}) FOREIGN KEY \\((?<columns>[^]*?)\\) REFERENCES (?:(?<database>${quotedName})\\.)?(?<parent>${quotedName}) \\((?<others>${quotedName}(?:, ?${quotedName})*)\\)`,
);

const bare = (quoted: string): string => quoted.slice(1, -1).replaceAll("``", "`");

const namesIn = (list: string): readonly string[] =>
  [...list.matchAll(new RegExp(quotedName, "g"))].map(([found]) => bare(found));

const foreignKeyOf = (text: string): DefinedForeignKey | null => {
  const { name, columns, database, parent, others } = foreignKeyPattern.exec(text)?.groups ?? {};
  if (name === undefined || columns === undefined || parent === undefined || others === undefined) return null;
  return {
    text,
    name: bare(name),
    columns: namesIn(columns),
    parentDatabase: database === undefined ? null : bare(database),
    parent: bare(parent),
    parentColumns: namesIn(others),
  };
};

/** Text without what is quoted in it. */
export const withoutQuoted = (text: string): string => {
  let left = "";
  for (let at = 0; at < text.length;) {
    if (quotes.has(text[at] ?? "")) at = endOfQuoted(text, at);
    else {
      left += text[at] ?? "";
      at += 1;
    }
  }
  return left;
};

/** @returns null for what is no such statement, or one that was cut */
export const parseDefinition = (statement: string): TableDefinition | null => {
  const begin = new RegExp(`^CREATE TABLE (?<name>${quotedName}) \\(`).exec(statement);
  if (begin?.groups?.["name"] === undefined) return null;
  const { parts, end } = partsBehind(statement, begin[0].length);
  if (end === -1) return null;
  const all = parts.map((text) => ({ text, key: foreignKeyOf(text) }));
  return {
    name: bare(begin.groups["name"]),
    parts: all.filter(({ key }) => key === null).map(({ text }) => text),
    foreignKeys: all.flatMap(({ key }) => key ?? []),
    options: statement.slice(end + 1).replace(/;\s*$/, ""),
  };
};
