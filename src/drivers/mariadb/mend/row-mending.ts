/** Rows of a MariaDB database put back: proposed, kept, run. */
import { compareTable, proposeRows } from "../../../core/mend/propose-rows.ts";
import type { RowMending } from "../../../core/ports/row-mending.ts";
import { keepLeftRows } from "../../../platform/mend/kept-left-rows.ts";
import { keepMend, readMend } from "../../../platform/mend/kept-mends.ts";
import type { MariadbOptions } from "../mariadb-options.ts";
import { accessOf } from "../sql-client.ts";
import { applyScript } from "./apply-script.ts";
import { onMariadbStage } from "./mariadb-stage.ts";
import { dropAbandoned } from "./private-tables.ts";
import { rowSourceOf } from "./row-source.ts";

export const mariadbMending: RowMending<MariadbOptions> = {
  makesDropped: true,
  compare: async (context, source, table) => {
    const access = await accessOf(context, "source");
    return onMariadbStage(access, await rowSourceOf(access, source), (stage) => compareTable(stage, table), {
      does: "compare",
    });
  },
  propose: async (context, source, request) => {
    const access = await accessOf(context, "source");
    await dropAbandoned(access);
    return onMariadbStage(
      access,
      await rowSourceOf(access, source),
      (stage) =>
        proposeRows(stage, request, {
          place: `${context.service}/${context.component}`,
          database: null,
          now: () => context.clock.now(),
          keep: (scripts) => keepMend(context.stateDirectory, scripts),
          keepLeft: "tree" in source ? null : keepLeftRows(source.leftTo),
        }),
      { does: "mend" },
    );
  },
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply: async (context, proposal, direction) => applyScript(await accessOf(context, "target"), proposal, direction),
};
