/**
 * What the programs of this machine do otherwise than those that wrote the files of a cluster. Indexes over texts are in the order of the
 * library that sorted them: by another one rows are not found that are there, and a unique index takes a value twice.
 */
import { type Session, withSession } from "../../platform/postgres/session.ts";
import { formatList } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { placeOf, withCluster } from "./locations.ts";

type Found = {
  /** `null` when nothing differs. */
  readonly database: { readonly was: string; readonly is: string | null } | null;
  readonly collations: readonly { readonly name: string; readonly was: string; readonly is: string | null }[];
  readonly extensions: readonly string[];
};

const foundSql = `
  select (select jsonb_build_object('was', datcollversion, 'is', pg_database_collation_actual_version(oid)) from pg_database
           where datname = current_database() and datcollversion is distinct from pg_database_collation_actual_version(oid)
             and datcollversion is not null) as database,
         coalesce((select jsonb_agg(jsonb_build_object('name', c.collname, 'was', c.collversion, 'is', pg_collation_actual_version(c.oid)) order by c.collname)
            from pg_collation c
           where c.collversion is not null and c.collversion is distinct from pg_collation_actual_version(c.oid)
             and exists (select from pg_depend d where d.refclassid = 'pg_collation'::regclass and d.refobjid = c.oid)), '[]') as collations,
         coalesce((select jsonb_agg(e.extname order by e.extname) from pg_extension e
           where not exists (select from pg_available_extensions a where a.name = e.extname)), '[]') as extensions`;

const version = (text: string | null): string => text ?? "without a version";

const warningsOf = (name: string, { database, collations, extensions }: Found): readonly string[] => [
  ...(database === null
    ? []
    : [
        `database ${name}: its texts were sorted by collation version ${database.was}, and are by ${version(database.is)} here: REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION VERSION, before it is relied upon`,
      ]),
  ...(collations.length === 0
    ? []
    : [
        `database ${name}: sorted otherwise here than by the captured server: ${formatList(
          collations.map(({ name: collation, was, is }) => `${collation} (${was}, here ${version(is)})`),
          8,
        )}: REINDEX what uses them, then ALTER COLLATION ... REFRESH VERSION`,
      ]),
  ...(extensions.length === 0
    ? []
    : [
        `database ${name}: the programs of its extensions are not installed here: ${formatList(extensions, 8)}; what needs them fails when it is used`,
      ]),
];

const ask = async (session: Session): Promise<Found> => {
  const [found] = await session.query<Found>(foundSql);
  if (found === undefined) throw new RefloatError("bug", "a query without a condition has no row");
  return found;
};

/** @param location of a cluster that can be asked. @returns a sentence for each difference, database by database */
export const findProgramDifferences = async (context: ClusterContext, location: string): Promise<readonly string[]> => {
  const place = await placeOf(context, location);
  if (place.kind === "stopped") return [];
  return withCluster(context, place.target, "target", async (session, asked) => {
    const databases = await session.query<{ name: string }>(
      "select datname as name from pg_database where datallowconn order by datname",
    );
    const warnings: string[] = [];
    for (const { name } of databases)
      warnings.push(...warningsOf(name, await withSession({ ...asked, database: name }, ask)));
    return warnings;
  });
};
