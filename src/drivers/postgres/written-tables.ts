/** The tables of a database as a comparison of two sides sees them: a partitioned table is one, whatever its partitions. */
import type { Session } from "../../platform/postgres/session.ts";
import { keySql, labelSql, ofUsersSql } from "./catalog-sql.ts";

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

const tablesSql = `
  select c.oid::text as oid, ${labelSql("c", "n")} as label,
         case c.relkind when 'r' then 'only ' else '' end || format('%I.%I', n.nspname, c.relname) as "from",
         (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
                                    order by a.attnum), '[]')
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
         coalesce((${keySql}), '{}') as key,
         (select coalesce(jsonb_agg(jsonb_build_object(
                   'oid', l.oid::text, 'label', ${labelSql("l", "ln")}, 'from', format('only %I.%I', ln.nspname, l.relname),
                   'blocks', coalesce(pg_relation_size(l.oid), 0) / current_setting('block_size')::int) order by l.oid), '[]')
            from (select c.oid as relid where c.relkind = 'r'
                  union all select relid from pg_partition_tree(c.oid) where c.relkind = 'p' and isleaf) p
            join pg_class l on l.oid = p.relid and l.relkind = 'r' join pg_namespace ln on ln.oid = l.relnamespace) as parts
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p') and not c.relispartition and ${ofUsersSql}
   order by 2`;

export const readWrittenTables = async (session: Session): Promise<readonly WrittenTable[]> => session.query(tablesSql);
