/**
 * How the server should join two tables when it proves a foreign key. Right after a load all rows are known to be visible, so that
 * walking two indexes side by side, without touching the tables, takes less than half of a hash join; the planner does not see
 * that. It needs an index on the referring columns.
 */
import type { ForeignKey } from "./restore-plan.ts";
import type { Session } from "../../platform/postgres/session.ts";

const columnPattern = /"(?:[^"]|"")*"|[^,\s]+/g;

/** `FOREIGN KEY (order_id, "odd, name") REFERENCES` gives the two names as they are, unquoted. */
export const referringColumns = (definition: string): string[] => {
  const list = /FOREIGN KEY \((?<list>(?:"(?:[^"]|"")*"|[^)"])*)\) REFERENCES/.exec(definition)?.groups?.["list"] ?? "";
  return (list.match(columnPattern) ?? []).map((name) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name,
  );
};

export const hasIndexFor = async (session: Session, key: ForeignKey): Promise<boolean> => {
  const columns = referringColumns(key.entry.definition);
  const [row] = await session.query<{ found: boolean }>(
    `select exists (
       select from pg_index i
        where i.indrelid = $1::regclass and i.indisvalid and i.indpred is null and columns.names = (
          select array_agg(a.attname::text order by k.n)
            from unnest(i.indkey::int2[]) with ordinality k(attnum, n)
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
           where k.n <= cardinality(columns.names))) as found
     from (select $2::text[] as names) columns`,
    [key.tables[0], columns],
  );
  return row?.found === true;
};
