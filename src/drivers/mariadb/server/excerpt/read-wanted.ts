/** What is asked of a temporary server: whether a table or database is there, its rows, or all of it as SQL that the stock client takes. */
import type { ByteStream } from "../../../../core/ports/bytes.ts";
import { formatList } from "../../../../core/text/quantity.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { findDump } from "../../client-programs.ts";
import { codeScript, readCode, readTriggers } from "../../code-objects.ts";
import { openDump } from "../../dump.ts";
import { type DumpedTable, readDumpedTable } from "../../dumped-table.ts";
import type { KeptCode } from "../../marker-table.ts";
import { readServerFacts } from "../../server-facts.ts";
import { type SourceTable, hasOwnRows, listTables, memoryEngine } from "../../source-tables.ts";
import { type SqlAccess, askSql, textOf } from "../../sql-client.ts";
import { quoteText } from "../../sql-text.ts";
import type { ServerContext } from "../server-options.ts";
import { unknownTable } from "./unknown-name.ts";

/** Why a table has no rows here, in a person's words; null when it has. */
const whyWithoutRows = ({ type, engine }: SourceTable): string | null => {
  if (type === "view" || type === "sequence") return `a ${type}, which has no rows of its own`;
  if (engine === memoryEngine) return "a MEMORY table, of which a capture has no rows";
  return hasOwnRows(engine) ? null : `${engine}, whose rows lie elsewhere`;
};

/** What an engine that is off in a temporary server keeps from being read; the others have to let themselves be opened. */
const unreadableIn = async (access: SqlAccess): Promise<readonly string[]> => {
  const { target } = access;
  const rows = await askSql(
    access,
    `SELECT TABLE_NAME AS name, COALESCE(TABLE_COMMENT, '') AS why FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = ${quoteText(target.database)} AND TABLE_TYPE = 'BASE TABLE' AND VERSION IS NULL;`,
  );
  const broken = rows.find((row) => !/Unknown storage engine/i.test(textOf(row, "why")));
  if (broken !== undefined)
    throw new RefloatError(
      "point.damaged",
      `${target.database}.${textOf(broken, "name")} cannot be opened: ${textOf(broken, "why")}`,
    );
  return rows.map((row) => textOf(row, "name"));
};

/** @throws RefloatError point.unknown, source.unsupported, point.damaged */
export const findTable = async (access: SqlAccess, table: string): Promise<SourceTable> => {
  const { database } = access.target;
  const listed = await listTables(access, database);
  const found = listed.find(({ name }) => name === table);
  const names = listed.map(({ name }) => name);
  if (found === undefined) throw unknownTable(database, table, names);
  const unreadable = await unreadableIn(access);
  const why = unreadable.includes(table) ? "of an engine that is off in a temporary server" : whyWithoutRows(found);
  if (why === null) return found;
  throw new RefloatError(
    "source.unsupported",
    `${database}.${table} is ${why}`,
    found.type === "table" ? {} : { hint: "name a table, or take the whole database with --dump" },
  );
};

const complete = "-- Dump completed";

/** Ends without an error only if all of it came. @throws RefloatError source.failed, program.* */
async function* dumpOf(
  context: ServerContext,
  access: SqlAccess,
  what: { readonly ignored: readonly string[]; readonly tables: readonly string[] | null },
): ByteStream {
  const { version } = await readServerFacts(access);
  const program = await findDump(version, context.signal);
  const dump = await openDump(access, program.path, { ...what, hasBinlog: false }, context.clock);
  let tail = "";
  try {
    for await (const bytes of dump.bytes) {
      tail = (tail + Buffer.from(bytes.subarray(-complete.length * 2)).toString("latin1")).slice(-complete.length * 2);
      yield bytes;
    }
    await dump.seal();
  } finally {
    await dump.close();
  }
  if (!tail.includes(complete))
    throw new RefloatError("source.failed", "mariadb-dump ended before its output was complete");
}

/** Definition and rows. */
export const dumpRows = (context: ServerContext, access: SqlAccess, table: string): ByteStream =>
  dumpOf(context, access, { ignored: [], tables: [table] });

/** As the dump of a `mariadb` component has it. */
export const readTable = (context: ServerContext, access: SqlAccess, table: string): Promise<DumpedTable> =>
  readDumpedTable(dumpRows(context, access, table));

/** Definition and rows, then triggers: into a database that has no such table. */
export async function* dumpTable(context: ServerContext, access: SqlAccess, table: string): ByteStream {
  const triggers = await readTriggers(access, access.target.database, table);
  yield* dumpRows(context, access, table);
  if (triggers.objects.length > 0) yield Buffer.from(codeScript(triggers));
}

const isBroken = (one: KeptCode["objects"][number]): boolean => one.isBroken === true;

/** A view of tables that are in another database cannot be opened here, and may well be where the script is run: so these come last. */
const withBrokenLast = ({ database, objects }: KeptCode): KeptCode => ({
  database,
  objects: [
    ...objects.filter((one) => !isBroken(one)),
    ...objects.filter(isBroken).map((one) => ({ ...one, isBroken: false })),
  ],
});

/** Tables, rows, then views, routines, triggers and events: into an empty database. */
export async function* dumpDatabase(
  context: ServerContext,
  access: SqlAccess,
  warn: (warning: string) => void,
): ByteStream {
  const { database } = access.target;
  const listed = await listTables(access, database);
  const unreadable = await unreadableIn(access);
  const left = listed.filter(({ name }) => unreadable.includes(name));
  const code = await readCode(access, database);
  const tell = (words: string, some: readonly { readonly name: string }[]): void => {
    if (some.length > 0)
      warn(
        `${words}: ${formatList(
          some.map(({ name }) => name),
          12,
        )}`,
      );
  };
  tell("left out, of engines that are off in a temporary server", left);
  tell(
    "MEMORY tables come without rows, of which a capture has none",
    listed.filter(({ engine }) => engine === memoryEngine),
  );
  tell(
    "only the definition comes of what has its rows elsewhere",
    listed.filter(({ engine, name }) => !hasOwnRows(engine) && !unreadable.includes(name)),
  );
  tell(
    "the current rows come, and their history does not",
    listed.filter(({ type }) => type === "versioned"),
  );
  tell(`views that name what is not in ${database} stand last`, code.objects.filter(isBroken));
  const ignored = [...listed.filter(({ type }) => type === "view"), ...left].map(({ name }) => name);
  yield* dumpOf(context, access, { ignored, tables: null });
  if (code.objects.length > 0) yield Buffer.from(codeScript(withBrokenLast(code)));
}
