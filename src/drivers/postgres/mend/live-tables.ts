/** The live tables as rows are put back into them: columns, key, what they refer to, what fires. Partitions are tables of their own here. */
import { keySql, labelSql, ofUsersSql } from "../catalog-sql.ts";
import type { StageForeignKey, StageTable, StageTrigger, StageUnique } from "../../../core/ports/row-stage.ts";
import type { Session } from "../../../platform/postgres/session.ts";

export type LiveColumn = {
  readonly name: string;
  readonly type: string;
  /** Its value is worked out by the server: neither compared nor put back. */
  readonly generated: boolean;
  /** Fit for SQL: the rising sequence that it takes its numbers from; null without one. */
  readonly sequence: string | null;
};

export type ForeignKey = StageForeignKey & {
  /** For SQL. */
  readonly parentQualified: string;
  readonly parentColumns: readonly string[];
};

export type UniqueColumns = StageUnique & {
  /** Two rows with null there are alike, too. */
  readonly nullsEqual: boolean;
};

/** A foreign key of another table whose rows would be deleted or emptied with those of this one. */
export type Referrer = {
  /** For SQL. */
  readonly child: string;
  readonly columns: readonly string[];
  readonly parentColumns: readonly string[];
};

export type LiveTable = Omit<StageTable, "foreignKeys" | "uniques" | "triggers"> & {
  /** For SQL: `public.orders`. */
  readonly qualified: string;
  readonly columns: readonly LiveColumn[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly referrers: readonly Referrer[];
  readonly uniques: readonly UniqueColumns[];
  /** That are enabled; `always` ones fire in each kind of session. */
  readonly triggers: readonly (StageTrigger & { readonly always: boolean })[];
};

const columnsSql = `
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'generated', a.attgenerated <> '',
           'sequence', (select pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) from pg_sequence s
                         where s.seqrelid = pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname)::regclass and s.seqincrement > 0))
         order by a.attnum), '[]')
    from pg_attribute a
   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped`;

const namesOf = (relation: string, numbers: string): string => `
  (select jsonb_agg(a.attname order by k.n) from unnest(${numbers}) with ordinality as k(attnum, n)
     join pg_attribute a on a.attrelid = ${relation} and a.attnum = k.attnum)`;

const foreignKeysSql = `
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', f.conname, 'columns', ${namesOf("f.conrelid", "f.conkey")},
           'parent', ${labelSql("pc", "pn")}, 'parentQualified', format('%I.%I', pn.nspname, pc.relname),
           'parentHasRows', pc.relkind = 'r',
           'parentColumns', ${namesOf("f.confrelid", "f.confkey")}) order by f.conname), '[]')
    from pg_constraint f
    join pg_class pc on pc.oid = f.confrelid join pg_namespace pn on pn.oid = pc.relnamespace
   where f.conrelid = c.oid and f.contype = 'f'
     and not exists (select from pg_constraint whole where whole.oid = f.conparentid and whole.conrelid = f.conrelid)`;

const referrersSql = `
  select coalesce(jsonb_agg(jsonb_build_object(
           'child', format('%I.%I', cn.nspname, cc.relname), 'columns', ${namesOf("f.conrelid", "f.conkey")},
           'parentColumns', ${namesOf("f.confrelid", "f.confkey")}) order by f.conname), '[]')
    from pg_constraint f
    join pg_class cc on cc.oid = f.conrelid join pg_namespace cn on cn.oid = cc.relnamespace
   where f.confrelid = c.oid and f.contype = 'f' and f.confdeltype in ('c', 'n', 'd') and f.conparentid = 0`;

/** A server older than 15 has no word for nulls that are alike. Deferrable ones are checked as these. */
const uniquesSql = `
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', ic.relname, 'columns', ${namesOf("i.indrelid", "own.key")},
           'nullsEqual', coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false)) order by ic.relname), '[]')
    from pg_index i join pg_class ic on ic.oid = i.indexrelid
   cross join lateral (select (i.indkey::int2[])[0:i.indnkeyatts - 1] as key) own
   where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and not (0 = any(own.key))`;

const triggersSql = `
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', g.tgname, 'always', g.tgenabled = 'A',
           'events', array_remove(array[case when g.tgtype & 4 <> 0 then 'insert' end, case when g.tgtype & 16 <> 0 then 'update' end,
                                        case when g.tgtype & 8 <> 0 then 'delete' end], null),
           'when', case when g.tgtype & 2 <> 0 then 'before' when g.tgtype & 64 <> 0 then 'instead of' else 'after' end)
         order by g.tgname), '[]')
    from pg_trigger g where g.tgrelid = c.oid and not g.tgisinternal and g.tgenabled in ('O', 'A')`;

const tablesSql = `
  select ${labelSql("c", "n")} as label, format('%I.%I', n.nspname, c.relname) as qualified,
         (${columnsSql}) as columns, coalesce((${keySql}), '{}') as key,
         (${foreignKeysSql}) as "foreignKeys", (${referrersSql}) as referrers, (${uniquesSql}) as uniques, (${triggersSql}) as triggers,
         null::text as refusal
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind = 'r' and ${ofUsersSql}
   order by 1`;

export const readLiveTables = async (session: Session): Promise<ReadonlyMap<string, LiveTable>> =>
  new Map((await session.query<LiveTable>(tablesSql)).map((table) => [table.label, table]));
