/**
 * What belongs to the database itself and to the roles it depends on, as data: a restore gives it to a database of another name.
 * Not in any of it: passwords. Read inside the snapshot of a capture.
 */
import { z } from "zod";
import type { Session } from "../../platform/postgres/session.ts";

const roleSchema = z.object({
  name: z.string(),
  superuser: z.boolean(),
  inherit: z.boolean(),
  createRole: z.boolean(),
  createDatabase: z.boolean(),
  login: z.boolean(),
  replication: z.boolean(),
  bypassRowSecurity: z.boolean(),
  connectionLimit: z.int(),
  validUntil: z.string().nullable(),
  memberOf: z.array(z.string()),
  /** Since 16, of memberships that are not what a plain GRANT gives: whether rights are inherited, and the group's name may be taken. */
  memberLimits: z.record(z.string(), z.object({ inherit: z.boolean(), set: z.boolean() })).default({}),
});
export type RoleFacts = z.infer<typeof roleSchema>;

export const databaseFactsSchema = z.object({
  name: z.string(),
  owner: z.string(),
  comment: z.string().nullable(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `c` libc, `i` ICU, `b` built-in. */
  localeProvider: z.string(),
  /** Of ICU and the built-in provider. */
  locale: z.string().nullable(),
  connectionLimit: z.int(),
  /** Null when nobody granted anything: the defaults hold. */
  grants: z.array(z.object({ grantee: z.string(), privilege: z.string(), grantable: z.boolean() })).nullable(),
  /** `ALTER DATABASE ... SET` (role null) and `ALTER ROLE ... IN DATABASE ... SET`. */
  settings: z.array(z.object({ role: z.string().nullable(), name: z.string(), value: z.string() })),
  extensions: z.array(z.object({ name: z.string(), version: z.string(), schema: z.string() })),
  roles: z.array(roleSchema),
  /** Bytes on the server's disk, indexes and dead rows included. */
  sizeOnDiskBytes: z.number(),
  subscriptions: z.array(z.string()),
});
export type DatabaseFacts = z.infer<typeof databaseFactsSchema>;

/** Column names of pg_database differ between versions, hence the record as JSON. */
const databaseSql = `
  select to_jsonb(d) - 'datacl' as record, pg_get_userbyid(d.datdba) as owner, pg_encoding_to_char(d.encoding) as encoding,
         shobj_description(d.oid, 'pg_database') as comment, pg_database_size(d.oid)::text as size,
         case when d.datacl is not null then
           (select coalesce(jsonb_agg(jsonb_build_object(
                     'grantee', case a.grantee when 0 then 'public' else pg_get_userbyid(a.grantee) end,
                     'public', a.grantee = 0, 'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]')
              from aclexplode(d.datacl) a) end as grants
    from pg_database d where d.datname = current_database()`;

const settingsSql = `
  select r.rolname as role, split_part(c.setting, '=', 1) as name,
         substr(c.setting, strpos(c.setting, '=') + 1) as value
    from pg_db_role_setting s
    left join pg_roles r on r.oid = s.setrole
    cross join unnest(s.setconfig) with ordinality as c(setting, n)
   where s.setdatabase = (select oid from pg_database where datname = current_database())
   order by r.rolname nulls first, c.n`;

const extensionsSql = `
  select e.extname as name, e.extversion as version, n.nspname as schema
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace order by 1`;

/**
 * Owners and grantees of anything in the database, and, upwards, the groups that they are members of. Since 16 several may have granted
 * the same membership, each with options of its own: what any of them gives is given.
 */
const rolesSql = `
  with recursive needed(oid) as (
      select s.refobjid from pg_shdepend s, pg_database d
       where d.datname = current_database() and s.refclassid = 'pg_authid'::regclass
         and (s.dbid = d.oid or (s.dbid = 0 and s.classid = 'pg_database'::regclass and s.objid = d.oid))
      union select datdba from pg_database where datname = current_database()
      union select s.setrole from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
             where d.datname = current_database() and s.setrole <> 0
      union select m.roleid from needed join pg_auth_members m on m.member = needed.oid)
  select r.rolname as name, r.rolsuper as superuser, r.rolinherit as inherit, r.rolcreaterole as "createRole",
         r.rolcreatedb as "createDatabase", r.rolcanlogin as login, r.rolreplication as replication,
         r.rolbypassrls as "bypassRowSecurity", r.rolconnlimit as "connectionLimit", r.rolvaliduntil::text as "validUntil",
         array(select distinct g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid order by 1) as "memberOf",
         coalesce((select jsonb_object_agg(m.name, jsonb_build_object('inherit', m.inherit, 'set', m.set)) from (
             select g.rolname as name, bool_or(coalesce((to_jsonb(a) ->> 'inherit_option')::bool, r.rolinherit)) as inherit,
                    bool_or(coalesce((to_jsonb(a) ->> 'set_option')::bool, true)) as set
               from pg_auth_members a join pg_roles g on g.oid = a.roleid where a.member = r.oid group by g.rolname) m
            where m.inherit <> r.rolinherit or not m.set), '{}') as "memberLimits"
    from pg_roles r where r.oid in (select oid from needed) order by r.rolname`;

const subscriptionsSql = `
  select subname as name from pg_subscription s join pg_database d on d.oid = s.subdbid
   where d.datname = current_database() order by 1`;

type DatabaseRow = {
  readonly record: Readonly<Record<string, unknown>>;
  readonly owner: string;
  readonly encoding: string;
  readonly comment: string | null;
  readonly size: string;
  readonly grants: readonly { grantee: string; public: boolean; privilege: string; grantable: boolean }[] | null;
};

/** The word that stands for everybody in `grants`; a role cannot have this name. */
export const everybody = "public";

const optionalText = (value: unknown): string | null => (typeof value === "string" ? value : null);

export const readDatabaseFacts = async (session: Session): Promise<DatabaseFacts> => {
  const [database] = await session.query<DatabaseRow>(databaseSql);
  if (database === undefined) throw session.translate(new Error("the database is gone"));
  const { record } = database;
  const subscriptions = await session.query<{ name: string }>(subscriptionsSql);
  return databaseFactsSchema.parse({
    name: record["datname"],
    owner: database.owner,
    comment: database.comment,
    encoding: database.encoding,
    collate: record["datcollate"],
    ctype: record["datctype"],
    localeProvider: optionalText(record["datlocprovider"]) ?? "c",
    locale: optionalText(record["datlocale"]) ?? optionalText(record["daticulocale"]),
    connectionLimit: record["datconnlimit"],
    grants: database.grants,
    settings: await session.query(settingsSql),
    extensions: await session.query(extensionsSql),
    roles: await session.query(rolesSql),
    sizeOnDiskBytes: Number(database.size),
    subscriptions: subscriptions.map(({ name }) => name),
  });
};
