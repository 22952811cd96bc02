/** Tables of a captured cluster as a source of rows: a temporary server for each that is asked for. */
import type { ExcerptRequest } from "../../../core/ports/excerpts.ts";
import type { PointSource } from "../../../core/ports/row-mending.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { RowSource, TableName } from "../../../platform/postgres/copied-rows.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { formatDatabase, formatTable } from "../excerpt/excerpt-name.ts";
import type { DroppedFromPoint } from "./dropped-tables.ts";
import { type ExcerptRows, openExcerptRows } from "./excerpt-rows.ts";

/** @param name as typed */
export const excerptRequest = (
  context: ClusterContext,
  name: string,
  replay: PointSource["replay"],
): Omit<ExcerptRequest, "form"> => ({
  name,
  replay,
  stage: (stage) => context.log.info(stage, { table: name }),
  warn: (warning) => context.log.warn(warning, { table: name }),
});

/** The point has no such table; a database that it has not is another error. */
export const isNoSuchTable = (error: unknown): boolean =>
  error instanceof RefloatError && error.code === "point.unknown" && error.message.includes(" has no table ");

/** One temporary server for each table that is asked for, and none of them is left. */
export const withExcerpts = async <Result>(
  context: ClusterContext,
  { tree, captured, replay, words }: PointSource,
  {
    database,
    names,
    dropped = [],
  }: {
    readonly database: string;
    /** Tables that are live. */
    readonly names: readonly TableName[];
    readonly dropped?: readonly DroppedFromPoint[];
  },
  act: (source: RowSource) => Promise<Result>,
): Promise<Result> => {
  const opened: ExcerptRows[] = [];
  const open: RowSource["open"] = async (label) => {
    const known = [...names, ...dropped.map(({ table }) => table)].find((one) => one.label === label);
    if (known === undefined) return null;
    const name = `${formatDatabase(database)}/${formatTable(known.schema, known.name)}`;
    try {
      const rows = await openExcerptRows(context, { tree, captured }, excerptRequest(context, name, replay));
      opened.push(rows);
      return rows.rows;
    } catch (error) {
      if (isNoSuchTable(error)) return null;
      throw error;
    }
  };
  const define: RowSource["define"] = async (label) =>
    dropped.find(({ table }) => table.label === label)?.dropped ?? null;
  try {
    return await act({ words, whole: true, labels: null, open, define });
  } finally {
    for (const rows of opened) await rows.close();
  }
};
