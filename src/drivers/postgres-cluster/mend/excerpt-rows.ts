/** Rows of tables of a captured cluster, by a temporary server of only what they need: as COPY text, with the columns and types that they had then. */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { ExcerptRequest } from "../../../core/ports/excerpts.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { SourceRows } from "../../../platform/postgres/copied-rows.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { readRows } from "../excerpt/read-wanted.ts";
import { type Wanted, type WantedTable, findWanted } from "../excerpt/wanted-relations.ts";
import { type ExcerptSource, type ReadWanted, excerptOf } from "../excerpt/take-excerpt.ts";

type Column = { readonly name: string; readonly type: string };
type Head = { readonly encoding: string; readonly columns: readonly Column[] };

/** Types with their schemas, but for the server's own, as they are compared with those of the live table. */
const columnsSql = `
  select attname as name, pg_catalog.format_type(atttypid, atttypmod) as type from pg_catalog.pg_attribute
   where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`;

const readHead = async (session: Session, wanted: Wanted): Promise<Head> => {
  const [part] = wanted.kind === "table" ? wanted.parts : [];
  if (part === undefined) throw new RefloatError("bug", "rows were asked of what is no table");
  await session.query("set search_path = ''");
  const columns = await session.query<Column>(columnsSql, [part.sql]);
  const [row] = await session.query<{ encoding: string }>("select getdatabaseencoding() as encoding");
  return { encoding: row?.encoding ?? "UTF8", columns };
};

const sourceRows = ({ encoding, columns }: Head, text: ByteStream): SourceRows => {
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  return {
    columns: columns.map(({ name }) => name),
    encoding,
    count: null,
    text,
    otherType: (column, type) => {
      const own = types.get(column);
      return own === undefined || own === type ? null : own;
    },
  };
};

/** @param where as of `readRows` */
export const readTableRows = async (session: Session, table: WantedTable, where: string | null): Promise<SourceRows> =>
  sourceRows(await readHead(session, table), readRows(session, table, "copy", where));

const readTable: ReadWanted<Head | Uint8Array> = async function* readTable(session, { request }, instance, wanted) {
  yield await readHead(session, wanted);
  request.stage("reading its rows");
  if (wanted.kind === "table") yield* readRows(session, wanted, "copy");
  await session.close();
  await instance.end();
};

export type ExcerptRows = {
  readonly rows: SourceRows;
  /** Ends the server, wherever reading has come to. Idempotent. */
  readonly close: () => Promise<void>;
};

/** @throws RefloatError as `Excerpts.take` */
export const openExcerptRows = async (
  context: ClusterContext,
  from: ExcerptSource,
  request: Omit<ExcerptRequest, "form">,
): Promise<ExcerptRows> => {
  const pieces = excerptOf(context, from, { ...request, form: "copy" }, readTable);
  const first = await pieces.next();
  if (first.done === true || first.value instanceof Uint8Array) throw new RefloatError("bug", "an excerpt has no head");
  const text = async function* () {
    for await (const piece of pieces) if (piece instanceof Uint8Array) yield piece;
  };
  return { rows: sourceRows(first.value, text()), close: async () => void (await pieces.return(undefined)) };
};

/** A server of all of one database, for as long as it is asked. */
export type ExcerptDatabase = {
  readonly connect: () => Promise<Session>;
  /** Rows of one of its tables, by a session that nothing else uses meanwhile. @throws RefloatError source.unsupported for one without rows in a capture */
  readonly rows: (session: Session, schema: string, table: string) => Promise<SourceRows>;
};

/**
 * Ends the server however `act` ends; what it said of its log is thrown only where `act` has not failed.
 * @throws RefloatError as `Excerpts.take`
 */
export async function* withExcerptDatabase<Piece>(
  context: ClusterContext,
  from: ExcerptSource,
  request: Omit<ExcerptRequest, "form">,
  act: (database: ExcerptDatabase) => AsyncIterable<Piece>,
): AsyncGenerator<Piece> {
  yield* excerptOf<Piece>(context, from, { ...request, form: "dump" }, async function* read(first, attempt, instance) {
    const { database } = attempt.name;
    await first.close();
    yield* act({
      connect: () => instance.connect(database),
      rows: async (session, schema, table) => {
        const { wanted } = await findWanted(session, { kind: "table", database, schema, table });
        if (wanted.kind !== "table") throw new RefloatError("bug", "a table was found and is none");
        return readTableRows(session, wanted, null);
      },
    });
    await instance.end();
  });
}
