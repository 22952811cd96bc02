/** One table of a captured database as mariadb-dump wrote it: its columns with their types, and its rows line by line. */
import { createHash } from "node:crypto";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CapturedTable } from "../../core/ports/driver.ts";
import type { FolderEntry, TreeReader } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { capturedDetailSchema } from "./captured-detail.ts";
import { type Line, linesOf } from "./dump-sections.ts";
import { quoteName } from "./sql-text.ts";
import { type TableDefinition, parseDefinition } from "./table-definition.ts";

export type DumpedColumn = {
  readonly name: string;
  /** As SHOW CREATE TABLE has it, with its character set where that is not the table's: `varchar(20) COLLATE utf8mb4_bin`. */
  readonly type: string;
  /** Its value is worked out by the server. */
  readonly isGenerated: boolean;
};

export type TableShape = {
  readonly columns: readonly DumpedColumn[];
  /** `DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci`. */
  readonly charset: string;
};

const columnPattern = /^`(?<name>(?:[^`]|``)+)` (?<rest>[^]*)$/;
/** A word, what stands in its brackets, and what belongs to it still. */
const typePattern =
  /^[a-z0-9_]+(?: precision)?(?:\((?:[^()']|'(?:[^'\\]|\\.|'')*')*\))?(?: (?:unsigned|zerofill|CHARACTER SET \w+|COLLATE \w+))*/;

const columnOf = (part: string): readonly DumpedColumn[] => {
  const { name, rest } = columnPattern.exec(part)?.groups ?? {};
  if (name === undefined || rest === undefined) return [];
  const type = typePattern.exec(rest)?.[0] ?? rest;
  const isGenerated = rest.startsWith(" GENERATED ALWAYS AS ", type.length);
  return [{ name: name.replaceAll("``", "`"), type, isGenerated }];
};

/** @param statement `CREATE TABLE ...`, as SHOW CREATE TABLE writes it. @throws RefloatError point.damaged */
export const readShape = (statement: string): TableShape => {
  const { parts, options } = requireDefinition(statement);
  return {
    columns: parts.flatMap(columnOf),
    charset: /^ .*?(DEFAULT CHARSET=\w+(?: COLLATE=\w+)?)/.exec(options)?.[1] ?? "",
  };
};

/** @throws RefloatError point.damaged */
export const requireDefinition = (statement: string): TableDefinition => {
  const definition = parseDefinition(statement);
  if (definition !== null) return definition;
  throw new RefloatError("point.damaged", "the definition of a table cannot be read", {
    context: { begin: statement.slice(0, 120) },
  });
};

export type DumpedTable = {
  /** `CREATE TABLE ...;` */
  readonly statement: string;
  readonly shape: TableShape;
  /**
   * What comes behind `INSERT INTO name`: `` VALUES`` or `` (`a`) VALUES``, and one row in each line after it; rows may come in parts.
   * Ends without an error only if all rows were there and are what was captured.
   */
  readonly lines: AsyncIterable<Line>;
};

const dataBegins = "-- Dumping data for table";
const insertPattern = /^INSERT INTO `(?:[^`]|``)+`(?<list> \((?:`(?:[^`]|``)+`(?:, )?)+\))? VALUES[ \n]/;
const openBracket = 0x28;

/** Names of all columns fit into it. */
const longestBegin = 1_048_576;

const startOf = ({ bytes }: Line): string => Buffer.from(bytes.subarray(0, longestBegin)).toString("utf8");

/** @throws RefloatError point.damaged, source.unsupported for what is no table with rows */
const fileOf = async (tree: TreeReader, captured: CapturedComponent, name: string): Promise<FolderEntry> => {
  const { tables } = capturedDetailSchema.parse(captured.facts.detail);
  const known = Object.hasOwn(tables, name) ? tables[name] : undefined;
  if (known?.kind !== "table") throw new RefloatError("source.unsupported", `${name} is no table with rows of its own`);
  const path = `${captured.path}/${known.file}`;
  const file = await tree.entry(path);
  if (file === undefined) throw new RefloatError("point.damaged", `the point has no ${path} for ${name}`);
  return file;
};

/** Takes the lines before the rows. A name of a table has no line feed, so that none can look like the begin of the statement. */
const statementIn = async (source: AsyncIterator<Line>): Promise<string> => {
  const before: string[] = [];
  for (;;) {
    const step = await source.next();
    if (step.done === true || startOf(step.value).startsWith(dataBegins)) break;
    before.push(Buffer.from(step.value.bytes).toString("utf8"));
  }
  const head = before.join("");
  const begin = head.indexOf("\nCREATE TABLE `") + 1;
  return head.slice(begin, head.indexOf("\n/*!40101", begin));
};

/** The definition alone, without reading on to the rows. @throws as `openDumpedTable` */
export const readStatement = async (tree: TreeReader, captured: CapturedComponent, name: string): Promise<string> => {
  const source = linesOf(tree.content(await fileOf(tree, captured, name)));
  try {
    return await statementIn(source);
  } finally {
    await source.return(undefined);
  }
};

/** @throws RefloatError point.damaged, source.unsupported for what is no table with rows */
export const openDumpedTable = async (
  tree: TreeReader,
  captured: CapturedComponent,
  table: CapturedTable,
): Promise<DumpedTable> => {
  const file = await fileOf(tree, captured, table.name);
  const hash = createHash("sha256");
  const hashed = async function* (): ByteStream {
    for await (const chunk of tree.content(file)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  return readDumpedTable(hashed(), (rows) => {
    const differs =
      (table.sha256 !== null && hash.digest("hex") !== table.sha256) || (table.rows !== null && rows !== table.rows);
    if (!differs) return;
    throw new RefloatError("vault.damaged", `the rows of ${table.name} are not those that were captured`, {
      context: { table: table.name, rows, captured: table.rows },
      state: "what was read so far is not to be used",
    });
  });
};

/**
 * Of what mariadb-dump writes of one table, or that and what comes before and behind it.
 * @param judge is told how many rows there were, once all of it was read
 */
export const readDumpedTable = async (
  content: ByteStream,
  judge: (rows: number) => void = () => undefined,
): Promise<DumpedTable> => {
  const source = linesOf(content);
  const statement = await statementIn(source);
  const lines = async function* (): AsyncGenerator<Line> {
    let rows = 0;
    let isRow = false;
    for await (const line of source) {
      if (line.isBegin) {
        isRow = line.bytes[0] === openBracket;
        const insert = isRow ? null : insertPattern.exec(startOf(line));
        if (insert?.groups !== undefined) {
          yield { bytes: Buffer.from(`${insert.groups["list"] ?? ""} VALUES\n`), isBegin: true, isEnd: true };
          const row = line.bytes.subarray(Buffer.byteLength(insert[0]));
          // Where columns are named the first row stands behind them.
          isRow = row[0] === openBracket;
          if (!isRow) continue;
          if (line.isEnd) rows += 1;
          yield { ...line, bytes: row };
          continue;
        }
      }
      if (!isRow) continue;
      if (line.isEnd) rows += 1;
      yield line;
    }
    judge(rows);
  };
  return { statement, shape: readShape(statement), lines: lines() };
};

/** Its rows as statements for another table of its columns, or of those of them that have rows. */
export async function* insertsInto({ lines }: DumpedTable, table: string): ByteStream {
  for await (const { bytes, isBegin } of lines) {
    if (isBegin && bytes[0] !== openBracket) yield Buffer.from(`INSERT INTO ${quoteName(table)}`);
    yield bytes;
  }
}
