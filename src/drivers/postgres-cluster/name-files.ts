/** What the live cluster calls the tables whose files its log names: `bench/orders`. A file that it has no more has no name any more. */
import { withSession } from "../../platform/postgres/session.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { placeOf, withCluster } from "./locations.ts";

/** Rows too long for their table's file lie in one beside it: it goes by the name of its table. */
const namesSql = `
  select pg_relation_filenode(c.oid)::text as file,
         coalesce((select o.oid from pg_class o where o.reltoastrelid = c.oid), c.oid)::regclass::text as name
    from pg_class c where c.relkind in ('r', 'm', 't') and pg_relation_filenode(c.oid) = any($1::oid[])`;

/** @param subjects `5/16412`: the numbers of a database and of a file in it */
export const nameFiles = async (
  context: ClusterContext,
  subjects: readonly string[],
): Promise<ReadonlyMap<string, string>> => {
  const place = await placeOf(context, null);
  if (place.kind === "stopped") return new Map();
  return withCluster(context, place.target, "source", async (session, asked) => {
    const names = new Map<string, string>();
    for (const [number, own] of Map.groupBy(subjects, (subject) => subject.split("/")[0] ?? "")) {
      const [found] = await session.query<{ name: string }>(
        "select datname as name from pg_database where oid = $1 and datallowconn",
        [number],
      );
      if (found === undefined) continue;
      const files = own.map((subject) => subject.split("/")[1]);
      const rows = await withSession({ ...asked, database: found.name }, (other) =>
        other.query<{ file: string; name: string }>(namesSql, [files]),
      );
      for (const { file, name } of rows) names.set(`${number}/${file}`, `${found.name}/${name}`);
    }
    return names;
  });
};
