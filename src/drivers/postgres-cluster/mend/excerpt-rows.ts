/** Rows of one table of a captured cluster, by a temporary server of only what they need: as COPY text, with the columns and types that it had then. */
import type { ExcerptRequest } from "../../../core/ports/excerpts.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { SourceRows } from "../../../platform/postgres/copied-rows.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { readRows } from "../excerpt/read-wanted.ts";
import { type ExcerptSource, type ReadWanted, excerptOf } from "../excerpt/take-excerpt.ts";

type Column = { readonly name: string; readonly type: string };
type Head = { readonly encoding: string; readonly columns: readonly Column[] };

/** Types with their schemas, but for the server's own, as they are compared with those of the live table. */
const columnsSql = `
  select attname as name, pg_catalog.format_type(atttypid, atttypmod) as type from pg_catalog.pg_attribute
   where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`;

const readTable: ReadWanted<Head | Uint8Array> = async function* readTable(session, { request }, instance, wanted) {
  const [part] = wanted.kind === "table" ? wanted.parts : [];
  if (wanted.kind !== "table" || part === undefined)
    throw new RefloatError("bug", "rows were asked of what is no table");
  await session.query("set search_path = ''");
  const columns = await session.query<Column>(columnsSql, [part.sql]);
  const [row] = await session.query<{ encoding: string }>("select getdatabaseencoding() as encoding");
  yield { encoding: row?.encoding ?? "UTF8", columns };
  request.stage("reading its rows");
  yield* readRows(session, wanted, "copy");
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
  const { encoding, columns } = first.value;
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  const text = async function* () {
    for await (const piece of pieces) if (piece instanceof Uint8Array) yield piece;
  };
  return {
    rows: {
      columns: columns.map(({ name }) => name),
      encoding,
      text: text(),
      otherType: (column, type) => {
        const own = types.get(column);
        return own === undefined || own === type ? null : own;
      },
    },
    close: async () => void (await pieces.return(undefined)),
  };
};
