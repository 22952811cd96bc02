/** Names that a captured server does not have, and which it has that may have been meant. */
import { suggestWord } from "../../../../core/declaration/nearest-word.ts";
import { formatList } from "../../../../core/text/quantity.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { formatExcerptName } from "./excerpt-name.ts";

const mostShown = 12;

/** One with a dot in it may have been meant as a table of a database. */
const asPlace = (typed: string, known: readonly string[]): string | null => {
  const dot = typed.indexOf(".");
  const database = typed.slice(0, dot);
  return dot > 0 && known.includes(database) ? formatExcerptName({ database, table: typed.slice(dot + 1) }) : null;
};

export const unknownDatabase = (database: string, known: readonly string[]): RefloatError => {
  const place = asPlace(database, known);
  return new RefloatError("point.unknown", `the server has no database ${database} then`, {
    hint:
      place === null
        ? suggestWord(database, known, `it has ${formatList(known, mostShown)}`)
        : `did you mean "${place}"?`,
  });
};

export const unknownTable = (database: string, table: string, known: readonly string[]): RefloatError =>
  new RefloatError("point.unknown", `database ${database} has no table ${table} then`, {
    context: { database, table },
    hint: suggestWord(table, known, known.length === 0 ? "it has no tables" : `it has ${formatList(known, mostShown)}`),
  });

/** The database is there, and has no such table. */
export const isNoSuchTable = (error: unknown): boolean =>
  error instanceof RefloatError && error.code === "point.unknown" && "table" in error.context;
