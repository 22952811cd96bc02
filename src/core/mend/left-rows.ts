/** Rows of a side that is kept which are not put back: counted and written down, since nobody has them once that side is dropped. */
import type { LeftOut } from "../../model/mend.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { RowsAsCsv, RowStage, RowWish } from "../ports/row-stage.ts";

/** Writes the rows of a table where they stay. @returns the path; null where there were none @throws RefloatError target.failed */
export type KeepLeftRows = (table: string, rows: RowsAsCsv) => Promise<string | null>;

/** @returns null where the live side has all of them */
export const rowsLeftOut = async (
  stage: Pick<RowStage, "rowsLeft">,
  {
    table,
    wanted,
    why,
    keep,
  }: {
    readonly table: string;
    readonly wanted: RowWish["rows"];
    readonly why: string;
    readonly keep: KeepLeftRows | null;
  },
): Promise<LeftOut | null> => {
  const unknown = { table, rows: null, why, file: null };
  if (keep === null) return unknown;
  try {
    const found = await stage.rowsLeft(table, wanted);
    if (found === null) return unknown;
    const file = await keep(table, found);
    const rows = found.count();
    return rows === 0 ? null : { table, rows, why, file };
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code !== "source.unsupported") throw error;
    return { ...unknown, why: error.message === why ? why : `${why}; they are not written down: ${error.message}` };
  }
};
