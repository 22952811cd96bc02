/** What a running server says of a table or schema: whether there is one, of which columns and parts it is made, and in which files all of it lies. */
import { nearestWord } from "../../../core/declaration/nearest-word.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { keyOfPath } from "./captured-files.ts";
import { type ExcerptName, type ExcerptWish, formatTable } from "./excerpt-name.ts";
import { firstOwnNumber } from "./raw-catalog.ts";

/** A relation by names that need no quotes of ours: `format('%I.%I')` of the server. */
export type WantedPart = {
  readonly schema: string;
  readonly name: string;
  readonly sql: string;
  readonly kind: string;
};

export type WantedTable = {
  readonly kind: "table";
  readonly schema: string;
  readonly name: string;
  /** Columns that have values of their own, as SQL writes them, in order. */
  readonly columns: readonly string[];
  /** The table and its partitions, parents before children. */
  readonly parts: readonly WantedPart[];
};

export type Wanted =
  | WantedTable
  | { readonly kind: "relations"; readonly tables: readonly WantedTable[] }
  | { readonly kind: "schema"; readonly schema: string }
  | { readonly kind: "database" };

type Found = {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
};

const tablesSql = `
  select c.oid::text as oid, n.nspname as schema, c.relname as name, c.relkind::text as kind
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'm', 'v', 'f', 'S') and n.nspname !~ '^pg_(toast|temp)' and n.nspname not in ('pg_catalog', 'information_schema')`;

/** Inheritance of the old kind makes tables of their own. */
const partsSql = `
  with recursive parts as (
    select $1::oid as oid, 0 as depth
     union all
    select i.inhrelid, parts.depth + 1
      from parts join pg_catalog.pg_class p on p.oid = parts.oid and p.relkind = 'p'
      join pg_catalog.pg_inherits i on i.inhparent = parts.oid)
  select c.oid::text as oid, n.nspname as schema, c.relname as name, format('%I.%I', n.nspname, c.relname) as sql, c.relkind::text as kind,
         c.relpersistence = 'u' and c.relkind <> 'p' as "isUnlogged"
    from parts join pg_catalog.pg_class c using (oid) join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   order by depth, schema, name`;

const columnsSql = `
  select quote_ident(attname) as name from pg_catalog.pg_attribute
   where attrelid = $1::oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`;

const words: Readonly<Record<string, string>> = { v: "a view", f: "a foreign table", S: "a sequence" };

const findTable = async (
  session: Session,
  { database, schema, table }: ExcerptName & { readonly kind: "table" },
): Promise<Found> => {
  const all = await session.query<Found>(tablesSql);
  const named = all.filter((one) => one.name === table && (schema === null || one.schema === schema));
  const common = named.filter((one) => one.schema === "public");
  const [found, other] = common.length > 0 ? common : named;
  if (found === undefined) {
    const names = all.filter(({ kind }) => words[kind] === undefined).map((one) => formatTable(one.schema, one.name));
    const typed = schema === null ? table : formatTable(schema, table);
    const near =
      nearestWord(typed, names) ??
      names.find((name) => nearestWord(typed, [name.slice(name.lastIndexOf(".") + 1)]) !== undefined);
    throw new RefloatError("point.unknown", `database ${database} has no table ${typed} then`, {
      hint:
        near === undefined
          ? `it has ${names.length === 0 ? "no tables" : `${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""}`}`
          : `did you mean "${near}"?`,
    });
  }
  if (other !== undefined)
    throw new RefloatError("usage", `several schemas of ${database} have a table ${table}`, {
      hint: `name one of ${named.map((one) => formatTable(one.schema, one.name)).join(", ")}`,
    });
  const what = words[found.kind];
  if (what === undefined) return found;
  throw new RefloatError(
    "source.unsupported",
    `${formatTable(found.schema, found.name)} is ${what}, which has no rows of its own`,
    {
      hint: "name a table, or take the whole database with --dump",
    },
  );
};

type PartRow = WantedPart & { readonly oid: string; readonly isUnlogged: boolean };

const refusePart = (part: PartRow): void => {
  const name = formatTable(part.schema, part.name);
  if (part.isUnlogged)
    throw new RefloatError("source.unsupported", `${name} is unlogged, and a physical capture has no rows of it`);
  if (words[part.kind] !== undefined)
    throw new RefloatError(
      "source.unsupported",
      `${name}, a part of the table, is ${words[part.kind]}, whose rows lie elsewhere`,
    );
};

/**
 * Files of relations, of what they keep out of line, of a materialised view's indexes (it is read by a query, which looks at them), and of the
 * sequences that tables own.
 */
const filesSql = `
  with wanted as (select c.oid, c.relkind, c.reltoastrelid from pg_catalog.pg_class c where c.oid = any($1::oid[])),
       storage as (
         select oid from wanted
          union select reltoastrelid from wanted where reltoastrelid <> 0
          union select i.indexrelid from pg_catalog.pg_index i join wanted w on i.indrelid = w.reltoastrelid
          union select i.indexrelid from pg_catalog.pg_index i join wanted w on i.indrelid = w.oid and w.relkind = 'm'
          union select d.objid from pg_catalog.pg_depend d join wanted w on d.refobjid = w.oid
           where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
             and exists (select from pg_catalog.pg_class s where s.oid = d.objid and s.relkind = 'S'))
  select pg_catalog.pg_relation_filepath(oid) as path from storage`;

/** Plain tables and where their rows lie: partitions are tables of their own here. */
const placesSql = `
  select c.oid::text as oid, n.nspname as schema, c.relname as name, format('%I.%I', n.nspname, c.relname) as sql, c.relkind::text as kind,
         pg_catalog.pg_relation_filepath(c.oid) as path,
         array(select quote_ident(attname) from pg_catalog.pg_attribute
                where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum) as columns
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' order by schema, name`;

type PlacedTable = Omit<PartRow, "isUnlogged"> & { readonly path: string; readonly columns: readonly string[] };

const inSchemaSql = `
  select c.oid::text as oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where n.nspname = $1 and c.relkind in ('r', 'p', 'm', 'S')`;

const systemSql = `
  select pg_catalog.pg_relation_filepath(oid) as path from pg_catalog.pg_class
   where oid < ${firstOwnNumber} and relkind in ('r', 'i', 't') and oid not in ('pg_catalog.pg_largeobject'::regclass, 'pg_catalog.pg_largeobject_loid_pn_index'::regclass)`;

const keysOf = (rows: readonly { readonly path: string | null }[]): ReadonlySet<string> =>
  new Set(rows.map(({ path }) => (path === null ? null : keyOfPath(path))).filter((key) => key !== null));

/** System catalogs, by `relationKey`: without all of them nothing that the server says of its tables is to be believed. */
export const systemKeys = async (session: Session): Promise<ReadonlySet<string>> =>
  keysOf(await session.query<{ path: string | null }>(systemSql));

/**
 * @returns what is read, and the relations that it lies in, by `relationKey`
 * @throws RefloatError point.unknown naming the nearest, usage for a name that several have, source.unsupported for what has no rows in a capture
 */
export const findWanted = async (
  session: Session,
  name: ExcerptWish,
): Promise<{ readonly wanted: Wanted; readonly keys: ReadonlySet<string> }> => {
  const keysFor = async (oids: readonly string[]): Promise<ReadonlySet<string>> =>
    keysOf(await session.query<{ path: string | null }>(filesSql, [oids]));
  if (name.kind === "database") return { wanted: { kind: "database" }, keys: new Set() };
  if (name.kind === "relations") {
    const found = (await session.query<PlacedTable>(placesSql)).filter(({ path }) =>
      name.relations.has(keyOfPath(path) ?? ""),
    );
    const tables = found.map((part): WantedTable => {
      const { schema, name: table, columns } = part;
      return { kind: "table", schema, name: table, columns, parts: [part] };
    });
    return { wanted: { kind: "relations", tables }, keys: await keysFor(found.map(({ oid }) => oid)) };
  }
  if (name.kind === "schema") {
    const schemas = await session.query<{ name: string }>("select nspname as name from pg_catalog.pg_namespace");
    const names = schemas.map((one) => one.name).filter((one) => !/^pg_|^information_schema$/.test(one));
    if (!names.includes(name.schema)) {
      const near = nearestWord(name.schema, names);
      throw new RefloatError("point.unknown", `database ${name.database} has no schema ${name.schema} then`, {
        hint: near === undefined ? `it has ${names.join(", ")}` : `did you mean "${near}"?`,
      });
    }
    const rows = await session.query<{ oid: string }>(inSchemaSql, [name.schema]);
    return { wanted: { kind: "schema", schema: name.schema }, keys: await keysFor(rows.map(({ oid }) => oid)) };
  }
  const found = await findTable(session, name);
  const parts = await session.query<PartRow>(partsSql, [found.oid]);
  for (const part of parts) refusePart(part);
  const columns = await session.query<{ name: string }>(columnsSql, [found.oid]);
  return {
    wanted: {
      kind: "table",
      schema: found.schema,
      name: found.name,
      columns: columns.map((column) => column.name),
      parts,
    },
    keys: await keysFor(parts.map(({ oid }) => oid)),
  };
};

const unloggedSql = `
  select format('%I.%I', n.nspname, c.relname) as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relpersistence = 'u' and c.relkind = 'r' and ($1::text is null or n.nspname = $1) order by 1`;

/** Tables that a dump has without rows, in a person's words. */
export const describeUnlogged = async (session: Session, wanted: Wanted): Promise<readonly string[]> => {
  if (wanted.kind === "table" || wanted.kind === "relations") return [];
  const schema = wanted.kind === "schema" ? wanted.schema : null;
  const rows = await session.query<{ name: string }>(unloggedSql, [schema]);
  return rows.length === 0
    ? []
    : [
        `unlogged tables are dumped without rows, of which a physical capture has none: ${rows.map(({ name }) => name).join(", ")}`,
      ];
};
