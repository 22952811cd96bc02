/**
 * What in this database only a superuser could make again: found before a capture, since a restore finds it when it is needed most.
 * Not responsible for rights that a GRANT can give.
 */
import { type Finding, finding, listed } from "../../platform/postgres/preflight-finding.ts";
import type { ServerVersion } from "../../platform/postgres/server-version.ts";
import type { Session } from "../../platform/postgres/session.ts";

export type SuperuserNeeds = {
  /** Extensions that are not marked as trusted. */
  readonly extensions: readonly string[];
  /** Parameters set for the database that others may not set. */
  readonly settings: readonly string[];
  /** Relations whose owner may make nothing in their schema until its grants are back, which come last. */
  readonly ownedApart: readonly string[];
  /** Roles with settings of their own in this database: altering them needs CREATEROLE. */
  readonly rolesWithSettings: readonly string[];
};

/** Rights to set one parameter can be granted since 15. */
const maySet = ({ major }: ServerVersion): string =>
  `(p.context not in ('superuser', 'superuser-backend')${major >= 15 ? " or has_parameter_privilege(p.name, 'set')" : ""})`;

/** Before 15 everybody could make tables in `public`. */
const openSchema = ({ major }: ServerVersion): string => (major >= 15 ? "false" : "n.nspname = 'public'");

const needsSql = (server: ServerVersion): string => `
  with settings as (
    select s.setrole, split_part(unnest(s.setconfig), '=', 1) as name from pg_db_role_setting s
     where s.setdatabase = (select oid from pg_database where datname = current_database()))
  select
    array(select e.extname::text from pg_extension e join pg_available_extensions a on a.name = e.extname
            join pg_available_extension_versions v on v.name = e.extname and v.version = a.default_version
           where e.extname <> 'plpgsql' and v.superuser and not v.trusted
           order by 1) as extensions,
    array(select distinct s.name from settings s join pg_settings p on lower(p.name) = lower(s.name)
           where not ${maySet(server)} order by 1) as settings,
    array(select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relpersistence <> 't'
             and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
             and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
             and not pg_has_role(c.relowner, n.nspowner, 'usage') and not ${openSchema(server)}
           order by 1) as "ownedApart",
    array(select distinct r.rolname::text from settings s join pg_roles r on r.oid = s.setrole
           where r.rolname <> current_user order by 1) as "rolesWithSettings"`;

export const readSuperuserNeeds = async (session: Session, server: ServerVersion): Promise<SuperuserNeeds> => {
  const [needs] = await session.query<SuperuserNeeds>(needsSql(server));
  return needs ?? { extensions: [], settings: [], ownedApart: [], rolesWithSettings: [] };
};

/** @returns whether nothing less than a superuser will do */
export const needsSuperuser = ({ extensions, settings, ownedApart }: SuperuserNeeds): boolean =>
  extensions.length > 0 || settings.length > 0 || ownedApart.length > 0;

/** For a user that is no superuser. */
export const needsFindings = (needs: SuperuserNeeds, createRole: boolean): readonly Finding[] => {
  const { extensions, settings, ownedApart, rolesWithSettings } = needs;
  const asSuperuser = "recover as a superuser, as below, or do without it";
  return [
    finding(
      extensions.length === 0,
      "make its extensions again",
      extensions.length === 0 ? "yes" : `only a superuser may create ${listed(extensions)}`,
      asSuperuser,
    ),
    ...(settings.length === 0
      ? []
      : [finding(false, "settings of the database", `only a superuser may set ${listed(settings)}`, asSuperuser)]),
    ...(ownedApart.length === 0
      ? []
      : [
          finding(
            false,
            "objects whose owner may make nothing in their schema",
            `only a superuser can give ${listed(ownedApart)} back to whom it belongs`,
            "recover as a superuser, as below, or give the schema and what is in it to one owner",
          ),
        ]),
    ...(rolesWithSettings.length === 0 || createRole
      ? []
      : [
          finding(
            false,
            "settings of roles in the database",
            `no CREATEROLE, and ${listed(rolesWithSettings)} have some`,
            "give the rights below",
          ),
        ]),
    finding(
      true,
      "make roles that are missing by then",
      createRole ? "yes" : "no CREATEROLE: a role that this server has lost has to be made by hand first",
    ),
  ];
};
