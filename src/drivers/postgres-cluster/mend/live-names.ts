/** Tables of a database of the running cluster, as people name them. */
import { shellWord } from "../../../core/text/shell-word.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { resolveTarget } from "../../../platform/postgres/connection-target.ts";
import type { CopiedRowMending, TableName } from "../../../platform/postgres/copied-rows.ts";
import { type Session, openSession, withSession } from "../../../platform/postgres/session.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { type ExcerptName, formatDatabase, formatTable } from "../excerpt/excerpt-name.ts";

export type Named = ExcerptName & { readonly kind: "table" };

export const nothingChanged = "nothing was changed";

export const openDatabase = async (
  context: ClusterContext,
  database: string,
  role: "source" | "target",
): Promise<Session> => {
  const { marker, signal } = context;
  return openSession({ target: await resolveTarget(context), database, marker, signal, role });
};

/** Those that let anybody in. */
export const liveDatabases = async (context: ClusterContext): Promise<ReadonlySet<string>> => {
  const { marker, signal } = context;
  const asked = { target: await resolveTarget(context), marker, role: "source", signal } as const;
  const rows = await withSession(asked, (session) =>
    session.query<{ name: string }>("select datname as name from pg_database where datallowconn"),
  );
  return new Set(rows.map(({ name }) => name));
};

/** The session is closed by whatever is done with it, or here. */
export const namesOf = async (
  session: Session,
  { names }: Pick<CopiedRowMending, "names">,
): Promise<readonly TableName[]> => {
  try {
    return await names(session);
  } catch (error) {
    await session.close();
    throw error;
  }
};

const typedName = ({ schema, table, database }: Named): string =>
  `${formatDatabase(database)}/${schema === null ? table : formatTable(schema, table)}`;

/** Null for a table that is not live. @throws RefloatError usage for a name that several have, and for one that has no rows of its own */
export const findLive = (named: Named, names: readonly TableName[]): TableName | null => {
  const { schema, table, database } = named;
  const all = names.filter((one) => one.name === table && (schema === null || one.schema === schema));
  const common = all.filter((one) => one.schema === "public");
  const [found, other] = common.length > 0 ? common : all;
  if (found === undefined) return null;
  if (other !== undefined) {
    throw new RefloatError("usage", `several schemas of ${database} have a table ${table}`, {
      state: nothingChanged,
      hint: `name one of ${all.map((one) => formatTable(one.schema, one.name)).join(", ")}`,
    });
  }
  if (!found.isPartitioned) return found;
  throw new RefloatError("usage", `${typedName(named)} is partitioned: its rows lie in its partitions`, {
    state: nothingChanged,
    hint: "name the partition",
  });
};

/** A table that is live. @throws RefloatError source.unsupported, usage */
export const requireLive = (named: Named, names: readonly TableName[], component: string): TableName => {
  const found = findLive(named, names);
  if (found !== null) return found;
  const typed = typedName(named);
  throw new RefloatError("source.unsupported", `there is no table ${typed} any more to put rows back into`, {
    state: nothingChanged,
    hint: `an older point may have it, and refloat mend makes it again from there; refloat extract ${shellWord(`POINT:${component}:${typed}`)} --dump --to table.dump takes it out`,
  });
};
