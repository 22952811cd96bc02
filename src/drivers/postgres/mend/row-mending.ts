/** Rows of a PostgreSQL database put back: proposed, kept, run. */
import type { RowMending } from "../../../core/ports/row-mending.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { PostgresOptions } from "../postgres-options.ts";
import { openLocation } from "../retired-database.ts";
import { sqlStateOf } from "../../../platform/postgres/server-errors.ts";
import { readMend, readScript } from "./kept-mends.ts";
import { rowsChangedState } from "./mend-script.ts";
import { compareTableWithLive, proposeMend } from "./propose-mend.ts";

/** The words of an integrity constraint that refuses a row: the rest of the transaction is undone with it. */
const isRefusal = (state: string | undefined): boolean => state?.startsWith("23") === true;

export const postgresMending: RowMending<PostgresOptions> = {
  compare: compareTableWithLive,
  propose: proposeMend,
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply: async (context, proposal, direction) => {
    const script = await readScript(proposal, direction);
    const session = await openLocation(context, null);
    try {
      await session.query(script);
    } catch (error) {
      const state = sqlStateOf(error);
      const nothing = { cause: error, state: "nothing was changed: it is all or nothing" };
      const message = error instanceof Error ? error.message : String(error);
      if (state === rowsChangedState) {
        throw new RefloatError("rows.changed", message.replace(/^.*refloat: /s, "").replace(/ \(PL\/pgSQL .*$/s, ""), {
          ...nothing,
          hint:
            direction === "undo"
              ? "it was taken back already, or somebody has written since: compare again"
              : "it was done already, or somebody has written since they were compared: compare again",
        });
      }
      if (isRefusal(state)) {
        throw new RefloatError("target.failed", `the server refuses a row: ${message}`, nothing);
      }
      if (!(error instanceof RefloatError) || error.code === "interrupted") throw error;
      // The answer to the last word may be what got lost.
      const lost = error.code === "source.unreachable";
      throw new RefloatError(error.code, error.message, {
        cause: error,
        state: lost ? "it is not known whether it was done: compare again" : nothing.state,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    } finally {
      await session.close();
    }
  },
};
