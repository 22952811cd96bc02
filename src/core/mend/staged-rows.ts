/** Rows as a stage has them: those that are compared with a live table, and those of a table that is made again, which are compared with nothing. */
import { RefloatError } from "../../model/refloat-error.ts";

type Staged = { readonly live: { readonly label: string } };

/** What tells the two apart: for SQL, where what differs stands. */
type Differing = { readonly differences: string };

const isCompared = <Rows extends Staged>(rows: Rows): rows is Extract<Rows, Differing> => "differences" in rows;

export const isMade = <Rows extends Staged>(rows: Rows): rows is Exclude<Rows, Differing> => !isCompared(rows);

/** A table that is made again has its keys only when it has its rows: none of them refers to anything, or is in anybody's way, before that. */
export const compared = <Rows extends Staged>(rows: Rows): Extract<Rows, Differing> => {
  if (isCompared(rows)) return rows;
  throw new RefloatError("bug", `${rows.live.label} is made again, and compared with nothing`);
};

export const requireMade = <Rows extends Staged>(rows: Rows): Exclude<Rows, Differing> => {
  if (isMade(rows)) return rows;
  throw new RefloatError("bug", `${rows.live.label} is not made again`);
};
