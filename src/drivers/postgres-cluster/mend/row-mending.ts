/**
 * Rows of one database of a cluster put back: read from the physical capture by a temporary server, table by table, and laid beside the live ones of the
 * running cluster. Which SQL that takes is known to whoever is given in.
 */
import type { MendSource, PointSource, RowMending } from "../../../core/ports/row-mending.ts";
import { formatList } from "../../../core/text/quantity.ts";
import { shellWord } from "../../../core/text/shell-word.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { keepMend, readMend, readScript } from "../../../platform/mend/kept-mends.ts";
import { resolveTarget } from "../../../platform/postgres/connection-target.ts";
import type { CopiedRowMending, RowSource, TableName } from "../../../platform/postgres/copied-rows.ts";
import { type Session, openSession } from "../../../platform/postgres/session.ts";
import type { ClusterContext, ClusterOptions } from "../cluster-options.ts";
import { type ExcerptName, formatDatabase, formatTable, parseExcerptName } from "../excerpt/excerpt-name.ts";
import { type ExcerptRows, openExcerptRows } from "./excerpt-rows.ts";

type Named = ExcerptName & { readonly kind: "table" };

const nothingChanged = "nothing was changed";

const openDatabase = async (context: ClusterContext, database: string, role: "source" | "target"): Promise<Session> => {
  const { marker, signal } = context;
  return openSession({ target: await resolveTarget(context), database, marker, signal, role });
};

const pointOf = (source: MendSource): PointSource => {
  if ("tree" in source) return source;
  throw new RefloatError("source.unsupported", "the old side of a cluster is a stopped server, which nobody asks");
};

/** Tables of one database. @throws RefloatError usage */
const parseNames = (typed: readonly string[]): { readonly database: string; readonly tables: readonly Named[] } => {
  const tables = typed.map((name): Named => {
    const parsed = parseExcerptName(name);
    if (parsed?.kind === "table") return parsed;
    throw new RefloatError("usage", `"${name}" names no table of a database`, {
      hint: "write DATABASE/TABLE or DATABASE/SCHEMA.TABLE",
    });
  });
  const databases = [...new Set(tables.map(({ database }) => database))];
  const [database, other] = databases;
  if (database !== undefined && other === undefined) return { database, tables };
  throw new RefloatError("usage", `one transaction is of one database: ${formatList(databases)} are several`, {
    state: nothingChanged,
  });
};

/** A table that is live. @throws RefloatError source.unsupported, usage */
const liveNamed = ({ schema, table, database }: Named, names: readonly TableName[], component: string): TableName => {
  const all = names.filter((one) => one.name === table && (schema === null || one.schema === schema));
  const common = all.filter((one) => one.schema === "public");
  const [found, other] = common.length > 0 ? common : all;
  const typed = `${formatDatabase(database)}/${schema === null ? table : formatTable(schema, table)}`;
  if (found === undefined) {
    throw new RefloatError("source.unsupported", `there is no table ${typed} any more to put rows back into`, {
      state: nothingChanged,
      hint: `a table that was dropped is made again with all that was its own from an archive: refloat extract ${shellWord(`POINT:${component}:${typed}`)} --dump --to table.dump, then pg_restore -d ${shellWord(database)} table.dump`,
    });
  }
  if (other !== undefined) {
    throw new RefloatError("usage", `several schemas of ${database} have a table ${table}`, {
      state: nothingChanged,
      hint: `name one of ${all.map((one) => formatTable(one.schema, one.name)).join(", ")}`,
    });
  }
  if (!found.isPartitioned) return found;
  throw new RefloatError("usage", `${typed} is partitioned: its rows lie in its partitions`, {
    state: nothingChanged,
    hint: "name the partition",
  });
};

/** One temporary server for each table that is asked for, and none of them is left. */
const withExcerpts = async <Result>(
  context: ClusterContext,
  { tree, captured, replay, words }: PointSource,
  { database, names }: { readonly database: string; readonly names: readonly TableName[] },
  act: (source: RowSource) => Promise<Result>,
): Promise<Result> => {
  const opened: ExcerptRows[] = [];
  const open: RowSource["open"] = async (label) => {
    const live = names.find((one) => one.label === label);
    if (live === undefined) return null;
    const name = `${formatDatabase(database)}/${formatTable(live.schema, live.name)}`;
    const request = {
      name,
      replay,
      stage: (stage: string) => context.log.info(stage, { table: name }),
      warn: (warning: string) => context.log.warn(warning, { table: name }),
    };
    try {
      const rows = await openExcerptRows(context, { tree, captured }, request);
      opened.push(rows);
      return rows.rows;
    } catch (error) {
      // The point has no such table; a database that it has not is said.
      if (error instanceof RefloatError && error.code === "point.unknown" && error.message.includes(" has no table "))
        return null;
      throw error;
    }
  };
  try {
    return await act({ words, whole: true, labels: null, open, define: async () => null });
  } finally {
    for (const rows of opened) await rows.close();
  }
};

/** The session is closed by whatever is done with it, or here. */
const namesOf = async (session: Session, { names }: CopiedRowMending): Promise<readonly TableName[]> => {
  try {
    return await names(session);
  } catch (error) {
    await session.close();
    throw error;
  }
};

export const clusterMending = (rows: CopiedRowMending): RowMending<ClusterOptions> => {
  const prepare = async (context: ClusterContext, typed: readonly string[]) => {
    const { database, tables } = parseNames(typed);
    const session = await openDatabase(context, database, "source");
    const names = await namesOf(session, rows);
    try {
      const labels = tables.map((table) => liveNamed(table, names, context.component).label);
      return { database, session, names, labels };
    } catch (error) {
      await session.close();
      throw error;
    }
  };
  return {
    makesDropped: false,
    readsKeptSides: false,
    compare: async (context, source, table) => {
      const { session, labels, ...where } = await prepare(context, [table]);
      return withExcerpts(context, source, where, (from) => rows.compare(session, from, labels[0] ?? table));
    },
    propose: async (context, source, request) => {
      const { session, labels, ...where } = await prepare(context, request.tables ?? []);
      return withExcerpts(context, pointOf(source), where, (from) =>
        rows.propose(
          session,
          from,
          { ...request, tables: labels },
          {
            place: `${context.service}/${context.component}`,
            database: where.database,
            now: () => context.clock.now(),
            keep: (scripts) => keepMend(context.stateDirectory, scripts),
          },
        ),
      );
    },
    read: (context, digest) => readMend(context.stateDirectory, digest),
    apply: async (context, proposal, direction) => {
      const script = await readScript(proposal, direction);
      if (proposal.database === null) throw new RefloatError("bug", "a proposal for a cluster names no database");
      await rows.apply(await openDatabase(context, proposal.database, "target"), script, direction);
    },
  };
};
