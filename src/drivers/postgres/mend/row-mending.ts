/** Rows of a PostgreSQL database put back: proposed, kept, run. */
import { compareTable, proposeRows } from "../../../core/mend/propose-rows.ts";
import type { RowMending } from "../../../core/ports/row-mending.ts";
import { keepMend, readMend, readScript } from "../../../platform/mend/kept-mends.ts";
import { applyScript } from "./apply-script.ts";
import { onPostgresStage } from "./postgres-stage.ts";
import type { PostgresOptions } from "../postgres-options.ts";
import { openLocation } from "../retired-database.ts";
import { withRowSource } from "./row-source.ts";

export const postgresMending: RowMending<PostgresOptions> = {
  makesDropped: true,
  compare: (context, source, table) =>
    withRowSource(context, source, async (rows) =>
      onPostgresStage(await openLocation(context, null), rows, (stage) => compareTable(stage, table)),
    ),
  propose: (context, source, request) =>
    withRowSource(context, source, async (rows) =>
      onPostgresStage(await openLocation(context, null), rows, (stage) =>
        proposeRows(stage, request, {
          place: `${context.service}/${context.component}`,
          database: null,
          now: () => context.clock.now(),
          keep: (scripts) => keepMend(context.stateDirectory, scripts),
        }),
      ),
    ),
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply: async (context, proposal, direction) => {
    const script = await readScript(proposal, direction);
    await applyScript(await openLocation(context, null), script, direction);
  },
};
