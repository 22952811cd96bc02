/** Pieces of SQL over the server's catalog that several readers of it share. */

/** A relation's name for people and as the key of a fact: `orders`, `audit.log`; schema public is left out. */
export const labelSql = (relation: string, schema: string): string =>
  `case ${schema}.nspname when 'public' then format('%I', ${relation}.relname) else format('%I.%I', ${schema}.nspname, ${relation}.relname) end`;

/** Columns of the primary key of `c`, or of a unique index without nulls, in its order; no row when there is none. */
export const keySql = `
  select array_agg(a.attname::text order by k.n)
    from (select i.indrelid, own.key from pg_index i
           -- Without the columns that it merely includes.
           cross join lateral (select (i.indkey::int2[])[0:i.indnkeyatts - 1] as key) own
           where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
             and not (0 = any(own.key))
             and not exists (select from pg_attribute x where x.attrelid = c.oid and x.attnum = any(own.key) and not x.attnotnull)
           order by i.indisprimary desc, i.indexrelid limit 1) best
    cross join unnest(best.key) with ordinality as k(attnum, n)
    join pg_attribute a on a.attrelid = best.indrelid and a.attnum = k.attnum`;

/** A condition on `c` and its schema `n`: an ordinary user's relation that no extension has made. */
export const ofUsersSql = `c.relpersistence <> 't'
     and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
     and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`;

/** A value as COPY writes it, null for null: a cast to text gives something else for booleans, addresses and padded text. */
export const copyTextSql = (expression: string): string =>
  `case num_nulls(${expression}) when 0 then concat(${expression}) end`;
