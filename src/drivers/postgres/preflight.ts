/** What `validate --live` says of a database: can it be reached, captured, restored beside and switched, and with which rights. */
import type { PreflightReport } from "../../core/ports/driver.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { supportedArchives } from "./archive-toc.ts";
import { type ClientPrograms, connectionArgument, findClientPrograms } from "./client-programs.ts";
import { type ConnectionTarget, describeAddress, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { archiveEncoding, dumpArguments } from "./dump-toc.ts";
import { quoteName, quoteText } from "./instance-names.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { postgresLimits } from "./postgres-options.ts";
import { type Finding, failure, finding, listed, ofCapture } from "../../platform/postgres/preflight-finding.ts";
import { type ServerVersion, readServerVersion } from "../../platform/postgres/server-version.ts";
import { type Session, withSession } from "../../platform/postgres/session.ts";
import { type SuperuserNeeds, needsFindings, needsSuperuser, readSuperuserNeeds } from "./superuser-needs.ts";

type Rights = {
  readonly superuser: boolean;
  readonly createDatabase: boolean;
  readonly createRole: boolean;
  readonly bypassRowSecurity: boolean;
  readonly ownsDatabase: boolean;
  readonly canSignal: boolean;
  /** Roles other than ours that are connected to the database. */
  readonly others: readonly string[];
  readonly encoding: string;
  readonly standby: boolean;
  readonly unreadable: readonly string[];
  readonly guarded: readonly string[];
  readonly blobs: number;
  readonly foreignOwners: readonly string[];
};

/** To own something in the name of a role is to be able to take it, which since 16 not every member may. */
const mayGiveTo = ({ major }: ServerVersion): string => (major >= 16 ? "'set'" : "'member'");

const rightsSql = (server: ServerVersion): string => `
  with tables as (
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relrowsecurity, c.relowner
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and c.relpersistence <> 't'
       and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast'))
  select r.rolsuper as superuser, r.rolcreatedb as "createDatabase", r.rolcreaterole as "createRole",
         r.rolbypassrls as "bypassRowSecurity", pg_has_role(d.datdba, 'usage') as "ownsDatabase",
         pg_has_role('pg_signal_backend', 'usage') as "canSignal",
         array(select distinct usename::text from pg_stat_activity
                where datname = current_database() and not pg_has_role(usename, 'usage') order by 1) as others,
         pg_encoding_to_char(d.encoding) as encoding,
         pg_is_in_recovery() as standby,
         array(select name from tables where not has_table_privilege(oid, 'select') order by 1) as unreadable,
         array(select name from tables where relrowsecurity order by 1) as guarded,
         (select count(*)::float8 from pg_largeobject_metadata where not pg_has_role(lomowner, 'usage')) as blobs,
         array(select distinct pg_get_userbyid(relowner)::text from tables where not pg_has_role(relowner, ${mayGiveTo(server)}) order by 1) as "foreignOwners"
    from pg_roles r, pg_database d
   where r.rolname = current_user and d.datname = current_database()`;

const isLoopback = (host: string): boolean => ["127.0.0.1", "::1", "localhost"].includes(host);

const psqlCommand = ({ host, port, database }: ConnectionTarget): string =>
  [
    // On its own machine a stock server lets the system's postgres in, and has no password for it.
    ...(host.startsWith("/") || isLoopback(host) ? ["sudo", "-u", "postgres", "psql"] : ["psql", "-U", "postgres"]),
    ...(host === "/var/run/postgresql" || isLoopback(host) ? [] : ["-h", host]),
    ...(port === 5432 ? [] : ["-p", String(port)]),
    "-d",
    database,
  ]
    .map(shellWord)
    .join(" ");

/** A role may end the sessions of its own and of roles that it belongs to. */
const signalFinding = ({ superuser, canSignal, others }: Rights, hint: string): Finding => {
  const subject = "end old sessions at the cutover";
  if (superuser || canSignal) return finding(true, subject, "yes");
  return others.length === 0
    ? finding(true, subject, "its own, and no other role is connected; for those of others it needs pg_signal_backend")
    : finding(
        false,
        subject,
        `not those of ${listed(others)}, who is connected: not a member of pg_signal_backend`,
        hint,
      );
};

const rightsFindings = (rights: Rights, target: ConnectionTarget): readonly Finding[] => {
  const seeGrants = `give the rights below, as an administrator: ${psqlCommand(target)}`;
  const { superuser } = rights;
  const reads = rights.unreadable.length === 0;
  const unguarded = superuser || rights.bypassRowSecurity || rights.guarded.length === 0;
  return [
    ...[
      finding(reads, "read all tables", reads ? "yes" : `not ${listed(rights.unreadable)}`, seeGrants),
      finding(
        unguarded,
        "row level security",
        unguarded
          ? "does not filter what is captured"
          : `hides rows of ${listed(rights.guarded)}; capture would refuse`,
        seeGrants,
      ),
      finding(
        superuser || rights.blobs === 0,
        "large objects",
        superuser || rights.blobs === 0 ? "readable" : `${rights.blobs} belong to others`,
        "capture as their owner or as a superuser",
      ),
    ].map(ofCapture),
    finding(
      superuser || rights.createDatabase,
      "create the restored database",
      superuser || rights.createDatabase ? "yes" : "no CREATEDB",
      seeGrants,
    ),
    finding(
      superuser || rights.foreignOwners.length === 0,
      "give restored objects their owners",
      superuser || rights.foreignOwners.length === 0 ? "yes" : `not a member of ${listed(rights.foreignOwners)}`,
      seeGrants,
    ),
    finding(
      superuser || rights.ownsDatabase,
      "rename the database at the cutover",
      superuser || rights.ownsDatabase ? "yes" : "not its owner",
      seeGrants,
    ),
    signalFinding(rights, seeGrants),
  ];
};

/** What would make a user that is no superuser sufficient, all of it, whether it is there already or not. */
const grantsFor = async (
  session: Session,
  target: ConnectionTarget,
  rights: Rights,
  needs: SuperuserNeeds | null,
): Promise<readonly string[]> => {
  const user = quoteName(target.user);
  if (needs !== null && needsSuperuser(needs)) return [`ALTER ROLE ${user} SUPERUSER;`];
  const [database] = await session.query<{ owner: string; readAll: boolean }>(
    `select pg_get_userbyid(datdba) as owner, exists (select from pg_roles where rolname = 'pg_read_all_data') as "readAll"
       from pg_database where datname = current_database()`,
  );
  const owners = [...new Set([...(database === undefined ? [] : [database.owner]), ...rights.foreignOwners])];
  return [
    ...(database?.readAll === true
      ? [`GRANT pg_read_all_data TO ${user};`]
      : [`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${user};  -- and in each other schema`]),
    ...(rights.guarded.length === 0 ? [] : [`ALTER ROLE ${user} BYPASSRLS;`]),
    `ALTER ROLE ${user} CREATEDB;`,
    ...(needs === null || needs.rolesWithSettings.length === 0 ? [] : [`ALTER ROLE ${user} CREATEROLE;`]),
    `GRANT pg_signal_backend TO ${user};`,
    `GRANT pg_read_all_settings TO ${user};`,
    ...owners.filter((owner) => owner !== target.user).map((owner) => `GRANT ${quoteName(owner)} TO ${user};`),
  ];
};

/** In the order in which capture uses them. */
const commandsFor = (
  context: PostgresContext,
  target: ConnectionTarget,
  programs: ClientPrograms,
  encoding: string,
): string[] => {
  const { lockTimeoutMs, jobs } = postgresLimits(context.options);
  const dump = dumpArguments({
    target,
    marker: context.marker,
    snapshot: "SNAPSHOT",
    encoding: archiveEncoding(encoding),
    excludeData: context.options.excludeData ?? [],
    lockTimeoutMs,
  });
  return [
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();",
    `SET LOCAL lock_timeout = ${lockTimeoutMs}; LOCK TABLE ONLY (every table) IN ACCESS SHARE MODE;`,
    [programs.pgDump, ...dump].map(shellWord).join(" "),
    `${shellWord(programs.pgDumpall)} --roles-only --no-role-passwords`,
    `COPY (every table) TO STDOUT;  -- on ${jobs} connections in the same snapshot`,
    "COMMIT;",
  ];
};

/** In the order in which a recovery uses them, the statements for its names and the archive in capitals. */
const recoveryCommandsFor = (
  { marker }: PostgresContext,
  target: ConnectionTarget,
  programs: ClientPrograms,
): readonly string[] => {
  const restored = { ...target, database: `${target.database}_rN` };
  const stable = quoteName(target.database);
  const [incoming, outgoing] = [quoteName(restored.database), quoteName(`${target.database}_oldN`)];
  return [
    `CREATE DATABASE ${incoming} TEMPLATE template0;`,
    [
      programs.pgRestore,
      "--format=directory",
      "--exit-on-error",
      "--no-password",
      "--use-list=LIST",
      connectionArgument(restored, marker),
      "DEFINITIONS",
    ]
      .map(shellWord)
      .join(" "),
    "COPY (every table) FROM STDIN;",
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${quoteText(target.database)};`,
    `ALTER DATABASE ${stable} RENAME TO ${outgoing}; ALTER DATABASE ${incoming} RENAME TO ${stable};`,
    `ALTER DATABASE ${outgoing} ALLOW_CONNECTIONS false;`,
  ];
};

/** Says which archives the pg_dump that was found writes, before a capture finds out. */
const programFinding = (programs: ClientPrograms): Finding => {
  const { oldestMajor, newestMajor } = supportedArchives;
  const ok = programs.major >= oldestMajor && programs.major <= newestMajor;
  return finding(
    ok,
    "pg_dump",
    `${programs.version} at ${programs.pgDump}`,
    `this version of Refloat reads archives of pg_dump ${oldestMajor} to ${newestMajor}`,
  );
};

export const preflightPostgres = async (context: PostgresContext): Promise<PreflightReport> => {
  const target = await resolveTarget(context);
  const address = describeAddress(target);
  const { marker, signal } = context;
  try {
    return await withSession({ target, marker, role: "source", signal }, async (session) => {
      const server = await readServerVersion(session);
      const findings = [
        finding(true, address, `PostgreSQL ${server.version}, database ${target.database}, as ${target.user}`),
      ];
      const [rights] = await session.query<Rights>(rightsSql(server));
      if (rights === undefined) return { findings, commands: [], recoveryCommands: [], grants: [] };
      const primary = !rights.standby;
      findings.push(finding(primary, "primary", primary ? "yes" : "a standby", "name the primary in the url"));
      const programs = await findClientPrograms(server.major, signal).catch((error: unknown) => {
        findings.push(failure("pg_dump", error));
        return null;
      });
      if (programs !== null) findings.push(programFinding(programs));
      findings.push(...rightsFindings(rights, target));
      const needs = rights.superuser ? null : await readSuperuserNeeds(session, server);
      if (needs !== null) findings.push(...needsFindings(needs, rights.createRole));
      return {
        findings,
        commands: programs === null ? [] : commandsFor(context, target, programs, rights.encoding),
        recoveryCommands: programs === null ? [] : recoveryCommandsFor(context, target, programs),
        grants: await grantsFor(session, target, rights, needs),
      };
    });
  } catch (error) {
    signal.throwIfAborted();
    return { findings: [failure(address, error)], commands: [], recoveryCommands: [], grants: [] };
  }
};
