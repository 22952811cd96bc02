/**
 * Decides what a statement of the binary log is for one database that is brought forward under another name: run it there, leave it out, or refuse
 * to go on. Whatever could touch another database, the live one before all, is refused; so is whatever is not known to be harmless. Pure.
 */
import type { BinlogQuery, BinlogTable } from "./binlog-events.ts";
import { isMarkerName } from "./marker-table.ts";
import { type Token, isWord, tokensOf } from "./sql-tokens.ts";
import { isMomentName } from "./sql-text.ts";

export type StatementRequest = {
  readonly query: BinlogQuery;
  /** The database that the log is read for, and the one that is brought forward. */
  readonly source: string;
  readonly target: string;
  /** The server does not tell names apart by case. */
  readonly ignoresCase: boolean;
};

export type Judgement =
  | { readonly act: "apply"; readonly sql: string }
  /** `warning` where a person should know of it. */
  | { readonly act: "skip"; readonly warning?: string }
  | { readonly act: "refuse"; readonly reason: string };

/** Their second bytes look like quotes and backslashes: big5, sjis, gbk, cp932. */
const misreadCharsets = new Set([1, 84, 13, 88, 28, 87, 95, 96]);

const isMisread = ({ sql, charset }: BinlogQuery): boolean =>
  charset !== null && misreadCharsets.has(charset & 1023) && /[\u0080-\u00ff]/.test(sql);

const isMark = (token: Token | undefined, mark: string): boolean => token?.kind === "mark" && token.text === mark;

const isNamed = (token: Token | undefined): token is Token =>
  token !== undefined && (token.kind === "name" || (token.kind === "word" && !/^\d+$/.test(token.text)));

const transactionWords = new Set(["BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA"]);
/** Of the server, of its users, or of what is no row. */
const skippedWords = [
  "ANALYZE",
  "OPTIMIZE",
  "REPAIR",
  "CHECK",
  "FLUSH",
  "GRANT",
  "REVOKE",
  "INSTALL",
  "UNINSTALL",
  "RESET",
  "PURGE",
  "CHANGE",
];
const rowWords = ["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CALL", "SELECT", "DO", "WITH", "EXECUTE"];
const tableKinds = ["TABLE", "TABLES", "INDEX", "SEQUENCE"];
const codeKinds = ["VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "PACKAGE"];
const kinds = [...tableKinds, ...codeKinds, "EVENT", "DATABASE", "SCHEMA", "USER", "ROLE", "SERVER", "TABLESPACE"];

/** Is one of these words written where a transaction begins, ends or is divided? */
export const isOfTransaction = (sql: string): boolean => {
  const word = /^\s*(?<word>[A-Za-z]+)/.exec(sql)?.groups?.["word"]?.toUpperCase() ?? "";
  return transactionWords.has(word);
};

/** Are rows of this table what the database is brought forward by? */
export const isOwnTable = (
  { database, table }: Pick<BinlogTable, "database" | "table">,
  { source, ignoresCase }: Pick<StatementRequest, "source" | "ignoresCase">,
): boolean => {
  const isOwn = ignoresCase ? database.toLowerCase() === source.toLowerCase() : database === source;
  return isOwn && !isMarkerName(table);
};

type Names = {
  readonly isSource: (name: string) => boolean;
  /** Of `x.y`, x as it stands. */
  readonly qualifiers: readonly Token[];
};

const namesOf = (tokens: readonly Token[], { source, ignoresCase }: StatementRequest): Names => {
  const bytes = Buffer.from(source, "utf8").toString("latin1");
  const same = (a: string, b: string): boolean => (ignoresCase ? a.toLowerCase() === b.toLowerCase() : a === b);
  return {
    isSource: (name) => same(name, bytes),
    qualifiers: tokens.filter(
      (token, index) =>
        (token.kind === "text" || isNamed(token)) &&
        isMark(tokens[index + 1], ".") &&
        // Of `x.y.z` the first one is a database.
        !isMark(tokens[index - 1], ".") &&
        !isMark(tokens[index - 1], "@"),
    ),
  };
};

const quoted = (name: string): string => `\`${Buffer.from(name, "utf8").toString("latin1").replaceAll("`", "``")}\``;

/** With the name of the other database in place of these. */
const withTarget = (sql: string, qualifiers: readonly Token[], target: string): string =>
  qualifiers
    .toReversed()
    .reduce((text, { begin, end }) => text.slice(0, begin) + quoted(target) + text.slice(end), sql);

const shown = (sql: string): string => {
  const text = Buffer.from(sql, "latin1").toString("utf8").replaceAll(/\s+/g, " ").trim();
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
};

/** Does every table that the statement names stand with its database? */
const isWhollyQualified = (tokens: readonly Token[], kind: string, { qualifiers }: Names): boolean => {
  const has = (...words: readonly string[]): boolean => tokens.some((token) => isWord(token, ...words));
  const commas = tokens.filter((token) => isMark(token, ",")).length;
  const [first] = tokens;
  if (isWord(first, "DROP") && kind !== "INDEX") return qualifiers.length === commas + 1;
  if (isWord(first, "RENAME")) return qualifiers.length === 2 * (commas + 1);
  return qualifiers.length === 1 && !has("RENAME", "REFERENCES", "LIKE", "SELECT", "EXCHANGE", "UNION");
};

const judgeTable = (request: StatementRequest, tokens: readonly Token[], kind: string, names: Names): Judgement => {
  const { query, target } = request;
  const { isSource, qualifiers } = names;
  const isHere = isSource(query.database);
  const own = qualifiers.filter(({ text }) => isSource(text));
  if (!isHere && own.length === 0) return { act: "skip" };
  if (tokens.some((token) => isNamed(token) && isMomentName(token.text))) return { act: "skip" };
  if (tokens.some((token) => isNamed(token) && isMarkerName(token.text))) {
    return isWord(tokens[0], "RENAME")
      ? {
          act: "refuse",
          reason:
            "a recovery has put another database behind the name: take a point after it, from which the log leads on",
        }
      : { act: "skip" };
  }
  const other = qualifiers.find(({ text }) => !isSource(text));
  if (other !== undefined) {
    return { act: "refuse", reason: `it names ${other.text} beside the database: ${shown(query.sql)}` };
  }
  if (!isHere && query.database !== "" && !isWhollyQualified(tokens, kind, names)) {
    return { act: "refuse", reason: `it was run from the database ${query.database}: ${shown(query.sql)}` };
  }
  return { act: "apply", sql: withTarget(query.sql, own, target) };
};

/** Where the name of what is made or dropped begins. */
const nameAfter = (tokens: readonly Token[], kindAt: number): number => {
  let at = kindAt + 1;
  while (isWord(tokens[at], "IF", "NOT", "EXISTS", "BODY")) at += 1;
  return at;
};

const judgeCode = (request: StatementRequest, tokens: readonly Token[], kindAt: number, names: Names): Judgement => {
  const { query, target } = request;
  const { isSource, qualifiers } = names;
  if (isWord(tokens[kindAt], "FUNCTION") && tokens.some((token) => isWord(token, "SONAME"))) return { act: "skip" };
  const at = nameAfter(tokens, kindAt);
  // What stands in its body means what it meant, as in a restored one.
  const heads = [at];
  if (isWord(tokens[kindAt], "TRIGGER")) {
    const on = tokens.findIndex((token, index) => index > at && isWord(token, "ON"));
    if (on >= 0) heads.push(on + 1);
  }
  const head = qualifiers.filter((token) => heads.some((index) => tokens[index] === token));
  const named = isWord(tokens[0], "DROP") ? qualifiers : head;
  const [first] = named;
  const isOwn = first === undefined ? isSource(query.database) : isSource(first.text);
  if (!isOwn && !named.some(({ text }) => isSource(text))) return { act: "skip" };
  if (named.some(({ text }) => !isSource(text))) {
    return { act: "refuse", reason: `it names another database beside this one: ${shown(query.sql)}` };
  }
  const isListOfNames = isWord(tokens[0], "DROP") && tokens.some((token) => isMark(token, ","));
  if (!isSource(query.database) && query.database !== "" && isListOfNames) {
    return { act: "refuse", reason: `it was run from the database ${query.database}: ${shown(query.sql)}` };
  }
  return { act: "apply", sql: withTarget(query.sql, named, target) };
};

const judgeDefinition = (
  request: StatementRequest,
  tokens: readonly Token[],
  names: Names,
  isConcerned: boolean,
): Judgement => {
  const { query } = request;
  const headEnd = tokens.findIndex((token) => isMark(token, "("));
  const head = headEnd < 0 ? tokens : tokens.slice(0, headEnd);
  const isKind = (token: Token, index: number): boolean =>
    isWord(token, ...kinds) && !isMark(tokens[index - 1], "=") && !isMark(tokens[index - 1], "@");
  const kindAt = isWord(tokens[0], "TRUNCATE") ? 0 : head.findIndex(isKind);
  const kind = kindAt === 0 ? "TABLE" : (tokens[kindAt]?.text.toUpperCase() ?? "");
  if (head.slice(0, Math.max(0, kindAt)).some((token) => isWord(token, "TEMPORARY"))) return { act: "skip" };
  if (tableKinds.includes(kind)) return judgeTable(request, tokens, kind, names);
  if (codeKinds.includes(kind)) return judgeCode(request, tokens, kindAt, names);
  if (kind === "EVENT") {
    return isConcerned
      ? { act: "skip", warning: `an event was changed, and is as in the point: ${shown(query.sql)}` }
      : { act: "skip" };
  }
  if (kind === "DATABASE" || kind === "SCHEMA") {
    const name = tokens[nameAfter(tokens, kindAt)];
    const isOwn = isNamed(name) && names.isSource(name.text);
    return isOwn || (isWord(tokens[0], "ALTER") && isConcerned)
      ? { act: "refuse", reason: `the database itself was made, changed or dropped: ${shown(query.sql)}` }
      : { act: "skip" };
  }
  if (kind !== "") return { act: "skip" };
  return isConcerned ? { act: "refuse", reason: `it is not known here: ${shown(query.sql)}` } : { act: "skip" };
};

/** @param request of a statement that neither begins nor ends a transaction */
export const judgeStatement = (request: StatementRequest): Judgement => {
  const { query, source } = request;
  const tokens = tokensOf(query);
  if (tokens === null || isMisread(query)) {
    return { act: "refuse", reason: `its text cannot be read with certainty: ${shown(query.sql)}` };
  }
  const names = namesOf(tokens, request);
  const isConcerned = names.isSource(query.database) || tokens.some((token) => names.isSource(token.text));
  const [first] = tokens;
  if (first === undefined) return { act: "skip" };
  if (isWord(first, ...skippedWords)) return { act: "skip" };
  if (isWord(first, "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE"))
    return judgeDefinition(request, tokens, names, isConcerned);
  if (isWord(first, ...rowWords)) {
    return isConcerned
      ? {
          act: "refuse",
          reason: `it was logged as a statement, not as rows (binlog_format was not ROW): ${shown(query.sql)}`,
        }
      : {
          act: "skip",
          warning: `statements of other databases were logged as such: rows that a trigger of theirs writes into ${source} are not in the log`,
        };
  }
  if (isWord(first, "SET") && (isWord(tokens[1], "PASSWORD", "ROLE") || isWord(tokens[2], "ROLE")))
    return { act: "skip" };
  return isConcerned ? { act: "refuse", reason: `it is not known here: ${shown(query.sql)}` } : { act: "skip" };
};
