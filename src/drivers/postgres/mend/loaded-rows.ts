/** Rows of a source beside the live ones: in a temporary table of the live types, which ends with the transaction. */
import { RefloatError, toRefloatError } from "../../../model/refloat-error.ts";
import { quoteName, quoteText } from "../instance-names.ts";
import { copyIn } from "../../../platform/postgres/copy-in.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { LiveColumn, LiveTable } from "./live-tables.ts";
import type { SourceRows } from "../../../platform/postgres/copied-rows.ts";

export type LoadedRows = {
  readonly live: LiveTable;
  /** For SQL: the temporary table with the source's rows, under their own names and, where the live table has them, its types. */
  readonly from: string;
  /** On both sides, and not worked out by the server. */
  readonly shared: readonly LiveColumn[];
  /** Only the source has them. */
  readonly dropped: readonly string[];
};

/** Of a COPY; nothing where there are none, which has no such list. */
export const columnList = (columns: readonly string[]): string =>
  columns.length === 0 ? "" : ` (${columns.map(quoteName).join(", ")})`;

/** @throws RefloatError source.unsupported */
const requireKey = ({ label, key, columns }: LiveTable, captured: readonly string[]): void => {
  if (key.length === 0)
    throw new RefloatError("source.unsupported", `${label} has no primary key: nobody can tell which row is which`, {
      state: "nothing was changed",
      hint: "a table without a key is put back as a whole, with its database: refloat recover",
    });
  const missing = key.filter((name) => !captured.includes(name));
  const generated = columns.filter(({ name, generated }) => generated && key.includes(name)).map(({ name }) => name);
  const [first] = [...missing, ...generated];
  if (first === undefined) return;
  throw new RefloatError(
    "source.unsupported",
    `the point's rows of ${label} have no ${first}, which is in the key now`,
    {
      state: "nothing was changed",
    },
  );
};

/** A value of another type would be rounded, cut or moved to another zone on its way, without a word. @throws RefloatError source.unsupported */
const requireTypes = ({ label, columns }: LiveTable, otherType: SourceRows["otherType"]): void => {
  for (const { name, type } of columns) {
    const was = otherType(name, type);
    if (was !== null) throw unfit(label, `${name} was ${was} and is ${type} now`);
  }
};

const unfit = (label: string, why: string, cause?: Error): RefloatError =>
  new RefloatError("source.unsupported", `the point's rows of ${label} do not fit the table: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    state: "nothing was changed",
    hint: "the table was changed since the point; the whole database can be recovered beside it: --no-cutover",
  });

/** What stands in the point does not fit what the table has become, such as another type of a column. */
const doesNotFit = (label: string, error: Error): Error => {
  const translated = toRefloatError(error);
  if (translated.code !== "source.failed" && translated.code !== "bug") return error;
  return unfit(label, error.message, error);
};

/** The session is in a transaction. @param number tells its temporary tables apart */
export const loadRows = async (
  session: Session,
  live: LiveTable,
  source: SourceRows,
  number: number,
): Promise<LoadedRows> => {
  const { columns } = source;
  requireKey(live, columns);
  requireTypes(live, source.otherType);
  const byName = new Map(live.columns.map((column) => [column.name, column]));
  const from = `pg_temp.refloat_point_${number}`;
  const definitions = columns.map((name) => `${quoteName(name)} ${byName.get(name)?.type ?? "text"}`);
  await session.query(`create temporary table refloat_point_${number} (${definitions.join(", ")}) on commit drop`);
  const sql = `copy ${from}${columnList(columns)} from stdin with (encoding ${quoteText(source.encoding)})`;
  await copyIn(session, sql, source.text, { explain: (error) => doesNotFit(live.label, error) });
  await session.query(`create index on ${from} (${live.key.map(quoteName).join(", ")}); analyze ${from}`);
  return {
    live,
    from,
    shared: columns.flatMap((name) => {
      const column = byName.get(name);
      return column === undefined || column.generated ? [] : [column];
    }),
    dropped: columns.filter((name) => !byName.has(name)),
  };
};
