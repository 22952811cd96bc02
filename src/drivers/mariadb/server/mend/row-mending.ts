/** Rows of one database of a whole server put back: read from the physical capture by a temporary server, table by table, and laid beside those of the live server. */
import { compareTable, proposeRows } from "../../../../core/mend/propose-rows.ts";
import type { RowMending } from "../../../../core/ports/row-mending.ts";
import { formatList } from "../../../../core/text/quantity.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { keepMend, readMend } from "../../../../platform/mend/kept-mends.ts";
import { applyScript } from "../../mend/apply-script.ts";
import { onMariadbStage } from "../../mend/mariadb-stage.ts";
import { dropAbandoned } from "../../mend/private-tables.ts";
import { parseExcerptName } from "../excerpt/excerpt-name.ts";
import { watchOwnWrites } from "../own-writes.ts";
import type { ServerOptions } from "../server-options.ts";
import { serverParts } from "./compare-parts.ts";
import { liveDatabase } from "./live-database.ts";
import { withTemporaryRows } from "./temporary-rows.ts";

const nothingChanged = "nothing was changed";

/** @throws RefloatError usage */
const parseNames = (typed: readonly string[]): { readonly database: string; readonly tables: readonly string[] } => {
  const names = typed.map((name) => {
    const { database, table } = parseExcerptName(name) ?? { database: "", table: null };
    if (table !== null) return { database, table };
    throw new RefloatError("usage", `"${name}" names no table of a database`, { hint: "write DATABASE/TABLE" });
  });
  const databases = [...new Set(names.map(({ database }) => database))];
  const [database, other] = databases;
  if (database !== undefined && other === undefined) return { database, tables: names.map(({ table }) => table) };
  throw new RefloatError("usage", `one transaction is of one database: ${formatList(databases)} are several`, {
    state: nothingChanged,
  });
};

const ofOldSide = (): RefloatError =>
  new RefloatError("source.unsupported", "which rows were written to the old side of a whole server is not told", {
    state: nothingChanged,
  });

export const serverMending: RowMending<ServerOptions> = {
  makesDropped: true,
  parts: serverParts,
  batches: () => Promise.reject(ofOldSide()),
  compare: async (context, source, name) => {
    const { database, tables } = parseNames([name]);
    const access = await liveDatabase(context, database, "source");
    return withTemporaryRows(context, source, database, async (rows) =>
      onMariadbStage(access, rows, (stage) => compareTable(stage, tables[0] ?? ""), {
        does: "compare",
        watch: await watchOwnWrites(context),
      }),
    );
  },
  propose: async (context, source, request) => {
    if (!("tree" in source)) throw ofOldSide();
    const { database, tables } = parseNames(request.tables ?? []);
    const access = await liveDatabase(context, database, "source");
    await dropAbandoned(access);
    return withTemporaryRows(context, source, database, async (rows) =>
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
              keepLeft: null,
            },
          ),
        { does: "mend", watch: await watchOwnWrites(context) },
      ),
    );
  },
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply: async (context, proposal, direction) => {
    if (proposal.database === null) throw new RefloatError("bug", "a proposal for a server names no database");
    await applyScript(await liveDatabase(context, proposal.database, "target"), proposal, direction);
  },
};
