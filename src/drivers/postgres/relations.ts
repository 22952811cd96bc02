/** The tables of a database as a capture sees them: what is locked, how large it is, which rows of it belong to the point. */
import type { Session } from "../../platform/postgres/session.ts";
import { labelSql } from "./catalog-sql.ts";

export type Relation = {
  readonly oid: number;
  /** Quoted, with its schema: `public.orders`, `"Odd Schema"."a.b"`. Fit for SQL. */
  readonly qualified: string;
  /** For people and as the key of a fact: `orders`, `audit.log`; schema public is left out. */
  readonly label: string;
  readonly partitioned: boolean;
  /** Bytes of the heap and its TOAST table. */
  readonly sizeBytes: number;
  /** Rows of an extension's configuration table that are the user's: its condition, possibly empty. Null for other tables. */
  readonly extensionCondition: string | null;
};

const userTables = `
     c.relkind in ('r', 'p') and c.relpersistence <> 't'
     and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`;

/** Members of extensions are made by the extension; the rows of its configuration tables are dumped. */
const ofExtension = `exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`;
const configured = `exists (select from pg_extension e where c.oid = any(e.extconfig))`;

const listSql = `
  select format('%I.%I', n.nspname, c.relname) as qualified
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where ${userTables} and (${configured} or not ${ofExtension})
   order by c.oid`;

/** Names only, without waiting for anybody's lock. */
export const listTables = async (session: Session): Promise<readonly string[]> =>
  (await session.query<{ qualified: string }>(listSql)).map(({ qualified }) => qualified);

/**
 * A TRUNCATE or a rewriting ALTER is not seen by snapshots: a table whose file was changed after the snapshot was taken would
 * read as empty. `rewritten` compares the file that the snapshot knows with the one of now.
 */
const relationsSql = `
  select c.oid::int8::float8 as oid, format('%I.%I', n.nspname, c.relname) as qualified,
         ${labelSql("c", "n")} as label,
         c.relkind = 'p' as partitioned, coalesce(pg_table_size(c.oid), 0)::float8 as "sizeBytes",
         x.condition as "extensionCondition",
         c.relkind = 'r' and c.relfilenode is distinct from pg_relation_filenode(c.oid) as rewritten
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join (select t.oid, t.condition from pg_extension e, unnest(e.extconfig, e.extcondition) as t(oid, condition)) x
           on x.oid = c.oid
   where ${userTables} and (x.oid is not null or not ${ofExtension})
   order by c.oid`;

export const readRelations = async (
  session: Session,
): Promise<readonly (Relation & { readonly rewritten: boolean })[]> => session.query(relationsSql);
