/** One table of a captured database as mariadb-dump wrote it: its columns with their types, and its rows line by line. */
import { createHash } from "node:crypto";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CapturedTable } from "../../core/ports/driver.ts";
import type { TreeReader } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { capturedDetailSchema } from "./captured-detail.ts";
import { type Line, linesOf } from "./dump-sections.ts";

export type DumpedColumn = {
  readonly name: string;
  /** As SHOW CREATE TABLE has it, with its character set where that is not the table's: `varchar(20) COLLATE utf8mb4_bin`. */
  readonly type: string;
};

export type TableShape = {
  readonly columns: readonly DumpedColumn[];
  /** `DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci`. */
  readonly charset: string;
};

const columnPattern = /^ {2}`(?<name>(?:[^`]|``)+)` (?<rest>.*)$/;
/** A word, what stands in its brackets, and what belongs to it still. */
const typePattern =
  /^[a-z0-9_]+(?: precision)?(?:\((?:[^()']|'(?:[^'\\]|\\.|'')*')*\))?(?: (?:unsigned|zerofill|CHARACTER SET \w+|COLLATE \w+))*/;

/** @param statement `CREATE TABLE ...`, as SHOW CREATE TABLE writes it */
export const readShape = (statement: string): TableShape => {
  const columns: DumpedColumn[] = [];
  for (const line of statement.split("\n")) {
    const { name, rest } = columnPattern.exec(line)?.groups ?? {};
    if (name === undefined || rest === undefined) continue;
    columns.push({ name: name.replaceAll("``", "`"), type: typePattern.exec(rest)?.[0] ?? rest });
  }
  return { columns, charset: /^\) .*?(DEFAULT CHARSET=\w+(?: COLLATE=\w+)?)/m.exec(statement)?.[1] ?? "" };
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
export const openDumpedTable = async (
  tree: TreeReader,
  captured: CapturedComponent,
  table: CapturedTable,
): Promise<DumpedTable> => {
  const { tables } = capturedDetailSchema.parse(captured.facts.detail);
  const known = Object.hasOwn(tables, table.name) ? tables[table.name] : undefined;
  if (known?.kind !== "table")
    throw new RefloatError("source.unsupported", `${table.name} is no table with rows of its own`);
  const path = `${captured.path}/${known.file}`;
  const file = await tree.entry(path);
  if (file === undefined) throw new RefloatError("point.damaged", `the point has no ${path} for ${table.name}`);
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
  const before: string[] = [];
  for (;;) {
    const step = await source.next();
    if (step.done === true || startOf(step.value).startsWith(dataBegins)) break;
    before.push(Buffer.from(step.value.bytes).toString("utf8"));
  }
  const head = before.join("");
  const statement = head.slice(
    head.indexOf("CREATE TABLE `"),
    head.indexOf("\n/*!40101", head.indexOf("CREATE TABLE `")),
  );
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
