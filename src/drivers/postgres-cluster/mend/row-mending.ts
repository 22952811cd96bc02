/**
 * Rows of one database of a cluster put back: read from the physical capture by a temporary server, table by table, and laid beside the live ones of the
 * running cluster. Which SQL that takes is known to whoever is given in.
 */
import type { MendSource, RowMending } from "../../../core/ports/row-mending.ts";
import { formatList } from "../../../core/text/quantity.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { keepLeftRows } from "../../../platform/mend/kept-left-rows.ts";
import { keepMend, readMend, readScript } from "../../../platform/mend/kept-mends.ts";
import type { CopiedRowMending, RowSource } from "../../../platform/postgres/copied-rows.ts";
import type { ClusterContext, ClusterOptions } from "../cluster-options.ts";
import { formatDatabase, parseExcerptName } from "../excerpt/excerpt-name.ts";
import { clusterParts } from "./compare-parts.ts";
import { type DroppedFromPoint, readDropped } from "./dropped-tables.ts";
import {
  type Named,
  findLive,
  liveDatabases,
  namesOf,
  nothingChanged,
  openDatabase,
  requireLive,
} from "./live-names.ts";
import { withKeptRows, writtenDatabases } from "./kept-rows.ts";
import { withExcerpts } from "./with-excerpts.ts";

type Names = {
  readonly database: string;
  /** Null for all tables of the database that have rows to put back. */
  readonly tables: readonly Named[] | null;
};

/** Tables of one database, or all of it where only what was written is put back. @throws RefloatError usage */
const parseNames = (typed: readonly string[], source: MendSource): Names => {
  const mayBeWhole = !("tree" in source);
  const names = typed.map((name) => {
    const parsed = parseExcerptName(name);
    if (parsed?.kind === "table" || (mayBeWhole && parsed?.kind === "database")) return parsed;
    throw new RefloatError("usage", `"${name}" names no table of a database`, {
      hint: `write DATABASE/TABLE or DATABASE/SCHEMA.TABLE${mayBeWhole ? ", or DATABASE for all that was written to it" : ""}`,
    });
  });
  const databases = [...new Set(names.map(({ database }) => database))];
  const [database, other] = databases;
  const tables = names.filter((one) => one.kind === "table");
  if (database !== undefined && other === undefined)
    return { database, tables: tables.length < names.length ? null : tables };
  throw new RefloatError("usage", `one transaction is of one database: ${formatList(databases)} are several`, {
    state: nothingChanged,
  });
};

export const clusterMending = (rows: CopiedRowMending): RowMending<ClusterOptions> => {
  const prepare = async (context: ClusterContext, typed: readonly string[], source: MendSource) => {
    const { database, tables } = parseNames(typed, source);
    const session = await openDatabase(context, database, "source");
    const names = await namesOf(session, rows);
    try {
      const labels: string[] = [];
      const dropped: DroppedFromPoint[] = [];
      for (const table of tables ?? []) {
        const gone = "tree" in source && findLive(table, names) === null;
        const found = gone ? await readDropped(context, source, table, rows) : null;
        if (found !== null) dropped.push(found);
        labels.push(found?.table.label ?? requireLive(table, names, context.component).label);
      }
      return { database, session, names, dropped, labels: tables === null ? null : labels };
    } catch (error) {
      await session.close();
      throw error;
    }
  };
  return {
    makesDropped: true,
    parts: clusterParts(rows),
    batches: async (context, source, names) => {
      if (names === null) {
        const live = await liveDatabases(context);
        const written = await writtenDatabases(context, source);
        return {
          batches: written.filter((name) => live.has(name)).map((name) => [formatDatabase(name)]),
          left: written
            .filter((name) => !live.has(name))
            .map((name) => `the database ${name} is not in the recovered side: it was made after the point`),
        };
      }
      const byDatabase = new Map<string, string[]>();
      for (const name of names) {
        const { database } = parseNames([name], source);
        byDatabase.set(database, [...(byDatabase.get(database) ?? []), name]);
      }
      return { batches: [...byDatabase.values()], left: [] };
    },
    compare: async (context, source, table) => {
      const { session, labels, ...where } = await prepare(context, [table], source);
      return withExcerpts(context, source, where, (from) => rows.compare(session, from, labels?.[0] ?? table));
    },
    propose: async (context, source, request) => {
      const { session, labels, ...where } = await prepare(context, request.tables ?? [], source);
      const propose = (from: RowSource) =>
        rows.propose(
          session,
          from,
          { ...request, tables: labels },
          {
            place: `${context.service}/${context.component}`,
            database: where.database,
            now: () => context.clock.now(),
            keep: (scripts) => keepMend(context.stateDirectory, scripts),
            keepLeft: "tree" in source ? null : keepLeftRows(source.leftTo, where.database),
          },
        );
      try {
        return await ("tree" in source
          ? withExcerpts(context, source, where, propose)
          : withKeptRows(context, source, { database: where.database, rows }, propose));
      } finally {
        // Where nothing was begun with it.
        await session.close();
      }
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
