/** Rows that were written to the old side of a cluster after the point, as a source: one temporary server for all tables of a database that have such rows. */
import type { KeptSideSource } from "../../../core/ports/row-mending.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { CopiedRowMending, RowSource } from "../../../platform/postgres/copied-rows.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { predicateFrom } from "../../../platform/postgres/written-rows.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { formatDatabase } from "../excerpt/excerpt-name.ts";
import { databaseNamed, unknownDatabase } from "../excerpt/judge-instance.ts";
import { excerptFrom } from "../excerpt/take-excerpt.ts";
import type { WantedTable } from "../excerpt/wanted-relations.ts";
import { readTableRows } from "./excerpt-rows.ts";
import { type KeptSide, openKeptSide, writtenRelations } from "./kept-side.ts";
import { excerptRequest } from "./with-excerpts.ts";

/** Whoever has a condition is planned, and the planner looks into the indexes of a table: those are hollow here. */
const withoutIndexes = (session: Session, tables: readonly WantedTable[]): Promise<unknown> =>
  session.query("update pg_catalog.pg_class set relhasindex = false where oid = any($1::text[]::regclass[])", [
    tables.flatMap(({ parts }) => parts.map(({ sql }) => sql)),
  ]);

const rowSource = async (
  session: Session,
  tables: readonly WantedTable[],
  { names }: CopiedRowMending,
  { floor, words }: { readonly floor: bigint; readonly words: string },
): Promise<RowSource> => {
  await withoutIndexes(session, tables);
  const labels = new Map((await names(session)).map((one) => [JSON.stringify([one.schema, one.name]), one.label]));
  const byLabel = new Map(
    tables.flatMap((table) => {
      const label = labels.get(JSON.stringify([table.schema, table.name]));
      return label === undefined ? [] : [[label, table] as const];
    }),
  );
  return {
    words,
    whole: false,
    labels: [...byLabel.keys()],
    open: async (label) => {
      const table = byLabel.get(label);
      return table === undefined ? null : readTableRows(session, table, await predicateFrom(session, floor));
    },
    define: async () => null,
  };
};

/** Databases of the old side in which rows were written after the point. @throws RefloatError source.unsupported with the reason why that cannot be told */
export const writtenDatabases = async (context: ClusterContext, source: KeptSideSource): Promise<readonly string[]> => {
  const side = await openKeptSide(context, source);
  const written: string[] = [];
  for (const { oid, name } of side.origin.detail.databases)
    for await (const _ of writtenRelations(side, oid, context.signal)) {
      written.push(name);
      break;
    }
  return written.toSorted();
};

const relationsOf = async (context: ClusterContext, side: KeptSide, database: string): Promise<ReadonlySet<string>> => {
  const { detail } = side.origin;
  const found = databaseNamed(detail, database);
  if (found === undefined) throw unknownDatabase(database, detail);
  const relations = new Set<string>();
  for await (const key of writtenRelations(side, found.oid, context.signal)) relations.add(key);
  return relations;
};

/** @throws RefloatError as `openKeptSide`, point.unknown, target.failed */
export const withKeptRows = async <Result>(
  context: ClusterContext,
  source: KeptSideSource,
  { database, rows }: { readonly database: string; readonly rows: CopiedRowMending },
  act: (from: RowSource) => Promise<Result>,
): Promise<Result> => {
  const side = await openKeptSide(context, source);
  const { words } = source;
  const relations = await relationsOf(context, side, database);
  if (relations.size === 0)
    return act({ words, whole: false, labels: [], open: async () => null, define: async () => null });
  const name = { kind: "relations", database, relations } as const;
  const request = { ...excerptRequest(context, formatDatabase(database), null), form: "dump" } as const;
  const results: Result[] = [];
  const pieces = excerptFrom<Result>(context, side.origin, { name, request }, async function* read(...asked) {
    const [session, , instance, wanted] = asked;
    if (wanted.kind !== "relations") throw new RefloatError("bug", "tables were asked for by their files");
    yield await act(await rowSource(session, wanted.tables, rows, { floor: side.after.floor, words }));
    await session.close();
    await instance.end();
  });
  for await (const result of pieces) results.push(result);
  const [result] = results;
  if (result === undefined) throw new RefloatError("bug", "an excerpt has ended without a word");
  return result;
};
