/** The tables of a database as a comparison of two sides sees them: a partitioned table is one, whatever its partitions. */
import type { Session } from "../../platform/postgres/session.ts";

export type Column = { readonly name: string; readonly type: string };

/** Where rows lie: the table itself, or one of its partitions. */
export type TablePart = {
  readonly oid: string;
  /** For people, as in facts. */
  readonly label: string;
  readonly from: string;
  /** Pages of the server's file. */
  readonly blocks: number;
};

export type WrittenTable = {
  readonly oid: string;
  /** For people, as in facts: `orders`, `audit.log`. */
  readonly label: string;
  /** For SQL after FROM: `only public.orders`, `public.events`. */
  readonly from: string;
  readonly columns: readonly Column[];
  /** Columns of the primary key, or of a unique index without nulls; empty when there is none. */
  readonly key: readonly string[];
  readonly parts: readonly TablePart[];
};

const labelOf = (relation: string, schema: string): string =>
  `case ${schema}.nspname when 'public' then format('%I', ${relation}.relname) else format('%I.%I', ${schema}.nspname, ${relation}.relname) end`;

const tablesSql = `
  select c.oid::text as oid, ${labelOf("c", "n")} as label,
         case c.relkind when 'r' then 'only ' else '' end || format('%I.%I', n.nspname, c.relname) as "from",
         (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
                                    order by a.attnum), '[]')
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
         coalesce((select array_agg(a.attname::text order by k.n)
            from (select i.indrelid, i.indkey from pg_index i
                   where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
                     and not (0 = any(i.indkey::int2[]))
                     and not exists (select from pg_attribute x where x.attrelid = c.oid and x.attnum = any(i.indkey::int2[]) and not x.attnotnull)
                   order by i.indisprimary desc, i.indexrelid limit 1) best
            cross join unnest(best.indkey::int2[]) with ordinality as k(attnum, n)
            join pg_attribute a on a.attrelid = best.indrelid and a.attnum = k.attnum), '{}') as key,
         (select coalesce(jsonb_agg(jsonb_build_object(
                   'oid', l.oid::text, 'label', ${labelOf("l", "ln")}, 'from', format('only %I.%I', ln.nspname, l.relname),
                   'blocks', coalesce(pg_relation_size(l.oid), 0) / current_setting('block_size')::int) order by l.oid), '[]')
            from (select c.oid as relid where c.relkind = 'r'
                  union all select relid from pg_partition_tree(c.oid) where c.relkind = 'p' and isleaf) p
            join pg_class l on l.oid = p.relid and l.relkind = 'r' join pg_namespace ln on ln.oid = l.relnamespace) as parts
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
     and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
     and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
   order by 2`;

export const readWrittenTables = async (session: Session): Promise<readonly WrittenTable[]> => session.query(tablesSql);
