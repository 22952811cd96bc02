/** Rows of a PostgreSQL database put back: proposed, kept, run. */
import type { RowMending } from "../../../core/ports/row-mending.ts";
import { keepLeftRows } from "../../../platform/mend/kept-left-rows.ts";
import { keepMend, readMend, readScript } from "../../../platform/mend/kept-mends.ts";
import type { PostgresOptions } from "../postgres-options.ts";
import { openLocation } from "../retired-database.ts";
import { copiedRowMending } from "./copied-row-mending.ts";
import { withRowSource } from "./row-source.ts";

const { compare, propose, apply } = copiedRowMending;

export const postgresMending: RowMending<PostgresOptions> = {
  makesDropped: true,
  compare: (context, source, table) =>
    withRowSource(context, source, async (rows) => compare(await openLocation(context, null), rows, table)),
  propose: (context, source, request) =>
    withRowSource(context, source, async (rows) =>
      propose(await openLocation(context, null), rows, request, {
        place: `${context.service}/${context.component}`,
        database: null,
        now: () => context.clock.now(),
        keep: (scripts) => keepMend(context.stateDirectory, scripts),
        keepLeft: "tree" in source ? null : keepLeftRows(source.leftTo),
      }),
    ),
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply: async (context, proposal, direction) => {
    await apply(await openLocation(context, null), readScript(proposal, direction), direction);
  },
};
