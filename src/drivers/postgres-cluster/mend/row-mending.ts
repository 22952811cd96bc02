/**
 * Rows of one database of a cluster put back: read from the physical capture by a temporary server, table by table, and laid beside the live ones of the
 * running cluster. Which SQL that takes is known to whoever is given in.
 */
import type { MendSource, PointSource, RowMending } from "../../../core/ports/row-mending.ts";
import { formatList } from "../../../core/text/quantity.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { keepMend, readMend, readScript } from "../../../platform/mend/kept-mends.ts";
import type { CopiedRowMending } from "../../../platform/postgres/copied-rows.ts";
import type { ClusterContext, ClusterOptions } from "../cluster-options.ts";
import { parseExcerptName } from "../excerpt/excerpt-name.ts";
import { clusterParts } from "./compare-parts.ts";
import { type Named, namesOf, nothingChanged, openDatabase, requireLive } from "./live-names.ts";
import { withExcerpts } from "./with-excerpts.ts";

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

export const clusterMending = (rows: CopiedRowMending): RowMending<ClusterOptions> => {
  const prepare = async (context: ClusterContext, typed: readonly string[]) => {
    const { database, tables } = parseNames(typed);
    const session = await openDatabase(context, database, "source");
    const names = await namesOf(session, rows);
    try {
      const labels = tables.map((table) => requireLive(table, names, context.component).label);
      return { database, session, names, labels };
    } catch (error) {
      await session.close();
      throw error;
    }
  };
  return {
    makesDropped: false,
    parts: clusterParts(rows),
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
      if (proposal.database === null) throw new RefloatError("bug", "a proposal for a cluster names no database");
      await rows.apply(
        await openDatabase(context, proposal.database, "target"),
        readScript(proposal, direction),
        direction,
      );
    },
  };
};
