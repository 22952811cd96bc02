/** Rows of one database of a whole server put back: read from the physical capture, or from the old side that is kept, by temporary servers, and laid beside those of the live server. */
import { compareTable, proposeRows } from "../../../../core/mend/propose-rows.ts";
import type { RowMending } from "../../../../core/ports/row-mending.ts";
import { formatList } from "../../../../core/text/quantity.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import type { MendProposal } from "../../../../model/mend.ts";
import { keepLeftRows } from "../../../../platform/mend/kept-left-rows.ts";
import { keepMend, readMend } from "../../../../platform/mend/kept-mends.ts";
import { applyScript } from "../../mend/apply-script.ts";
import { onMariadbStage } from "../../mend/mariadb-stage.ts";
import { dropAbandoned } from "../../mend/private-tables.ts";
import type { MariadbRowSource } from "../../mend/row-source.ts";
import { formatExcerptName, parseExcerptName } from "../excerpt/excerpt-name.ts";
import { watchOwnWrites } from "../own-writes.ts";
import type { ServerOptions } from "../server-options.ts";
import { serverParts } from "./compare-parts.ts";
import { withKeptRows, writtenDatabases } from "./kept-rows.ts";
import { liveDatabase } from "./live-database.ts";
import { withTemporaryRows } from "./temporary-rows.ts";

const nothingChanged = "nothing was changed";

type Names = {
  readonly database: string;
  /** Null for all tables of the database that have rows to put back. */
  readonly tables: readonly string[] | null;
};

/** Tables of one database, or all of it where only what was written is put back. @throws RefloatError usage */
const parseNames = (typed: readonly string[], { mayBeWhole }: { readonly mayBeWhole: boolean }): Names => {
  const names = typed.map((name) => {
    const parsed = parseExcerptName(name);
    if (parsed !== null && (mayBeWhole || parsed.table !== null)) return parsed;
    throw new RefloatError("usage", `"${name}" names no table of a database`, {
      hint: `write DATABASE/TABLE${mayBeWhole ? ", or DATABASE for all that was written to it" : ""}`,
    });
  });
  const databases = [...new Set(names.map(({ database }) => database))];
  const [database, other] = databases;
  const tables = names.flatMap(({ table }) => table ?? []);
  if (database !== undefined && other === undefined)
    return { database, tables: tables.length < names.length ? null : tables };
  throw new RefloatError("usage", `one transaction is of one database: ${formatList(databases)} are several`, {
    state: nothingChanged,
  });
};

const ofPoint = { mayBeWhole: false };
const ofOldSide = { mayBeWhole: true };

export const serverMending: RowMending<ServerOptions> = {
  makesDropped: true,
  parts: serverParts,
  batches: async (context, source, names) => {
    if (names === null) {
      const written = await writtenDatabases(context, source);
      const batches = written.names.map((database) => [formatExcerptName({ database, table: null })]);
      return { batches, left: written.left };
    }
    const byDatabase = Map.groupBy(names, (name) => parseNames([name], ofOldSide).database);
    return { batches: [...byDatabase.values()], left: [] };
  },
  compare: async (context, source, name) => {
    const { database, tables } = parseNames([name], ofPoint);
    const access = await liveDatabase(context, database, "source");
    return withTemporaryRows(context, source, database, async (rows) =>
      onMariadbStage(access, rows, (stage) => compareTable(stage, tables?.[0] ?? ""), {
        does: "compare",
        watch: await watchOwnWrites(context),
      }),
    );
  },
  propose: async (context, source, request) => {
    const isPoint = "tree" in source;
    const { database, tables } = parseNames(request.tables ?? [], isPoint ? ofPoint : ofOldSide);
    const access = await liveDatabase(context, database, "source");
    await dropAbandoned(access);
    const propose = async (rows: MariadbRowSource): Promise<MendProposal> =>
      onMariadbStage(
        access,
        rows,
        (stage) =>
          proposeRows(
            stage,
            { ...request, tables },
            {
              place: `${context.service}/${context.component}`,
              database,
              now: () => context.clock.now(),
              keep: (scripts) => keepMend(context.stateDirectory, scripts),
              keepLeft: isPoint ? null : keepLeftRows(source.leftTo, database),
            },
          ),
        { does: "mend", watch: await watchOwnWrites(context) },
      );
    return isPoint
      ? withTemporaryRows(context, source, database, propose)
      : withKeptRows(context, source, access, propose);
  },
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply: async (context, proposal, direction) => {
    if (proposal.database === null) throw new RefloatError("bug", "a proposal for a server names no database");
    await applyScript(await liveDatabase(context, proposal.database, "target"), proposal, direction);
  },
};
