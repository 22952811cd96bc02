/** The database itself: made empty and given its owner at first, grants and settings at last. Its contents are made elsewhere. */
import type { InstanceTarget } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type DatabaseFacts, everybody } from "./database-facts.ts";
import { creationSign, formatComment, type InstanceMark } from "./instance-mark.ts";
import { quoteName, quoteText } from "./instance-names.ts";
import { hasScheduler } from "./scheduler.ts";
import type { ServerVersion } from "../../platform/postgres/server-version.ts";
import type { Session } from "../../platform/postgres/session.ts";

const providers: Readonly<Record<string, string>> = { c: "libc", i: "icu", b: "builtin" };

const localeClause = (facts: DatabaseFacts, server: ServerVersion): string => {
  const clauses = [`lc_collate ${quoteText(facts.collate)}`, `lc_ctype ${quoteText(facts.ctype)}`];
  const provider = providers[facts.localeProvider] ?? "libc";
  // Before 15 there was libc alone and no word for it; from then on template0 may have another one than the point.
  if (server.major >= 15) clauses.push(`locale_provider ${provider}`);
  if (facts.locale !== null)
    clauses.push(`${provider === "icu" ? "icu_locale" : "builtin_locale"} ${quoteText(facts.locale)}`);
  return clauses.join(" ");
};

/** What the server must have before anything is made. @throws RefloatError program.version, program.missing */
export const examineTarget = async (
  session: Session,
  facts: DatabaseFacts,
  versions: { readonly captured: string; readonly server: ServerVersion },
): Promise<readonly string[]> => {
  const { captured, server } = versions;
  if (server.major < Number.parseInt(captured, 10)) {
    throw new RefloatError(
      "program.version",
      `the server is PostgreSQL ${server.version}, the point comes from ${captured}`,
      { hint: "a point can be restored into the same or a newer major version; nothing was changed" },
    );
  }
  const available = await session.query<{ name: string; version: string }>(
    "select name, default_version as version from pg_available_extensions",
  );
  const versionOf = new Map(available.map(({ name, version }) => [name, version]));
  const needed = facts.extensions.filter((extension) => !hasScheduler([extension]));
  const missing = needed.filter(({ name }) => !versionOf.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new RefloatError(
      "program.missing",
      `the server lacks extensions that the point needs: ${missing.join(", ")}`,
      {
        hint: `those of PostgreSQL itself come with postgresql-contrib, others as postgresql-${server.major}-NAME; nothing was changed`,
      },
    );
  }
  return needed
    .filter(({ name, version }) => versionOf.get(name) !== version)
    .map(({ name, version }) => `extension ${name} will have version ${versionOf.get(name) ?? "?"}; it was ${version}`);
};

export const writeMark = async (
  session: Session,
  database: string,
  mark: InstanceMark,
  own: string | null,
): Promise<void> => {
  await session.query(`comment on database ${quoteName(database)} is ${quoteText(formatComment(mark, own))}`);
};

export const createDatabase = async (
  session: Session,
  target: InstanceTarget,
  facts: DatabaseFacts,
  server: ServerVersion,
  mark: InstanceMark,
): Promise<void> => {
  const name = quoteName(target.name);
  await session.query(
    `create database ${name} template template0 encoding ${quoteText(facts.encoding)} ${localeClause(facts, server)}
       connection limit ${creationSign(target.runUid)}`,
  );
  await writeMark(session, target.name, mark, null);
  // Until its own grants are back nobody but us has business here.
  await session.query(`revoke all on database ${name} from public`);
  // Since 15 the schema public belongs to the database's owner: without this his tables there could not be given to him by us.
  await session.query(`alter database ${name} owner to ${quoteName(facts.owner)}`);
};

const privileges = new Set(["CREATE", "CONNECT", "TEMPORARY"]);

const grantStatements = (name: string, facts: DatabaseFacts): string[] => {
  if (facts.grants === null) return [`grant connect, temporary on database ${name} to public`];
  return facts.grants
    .filter(({ privilege }) => privileges.has(privilege))
    .map(({ grantee, privilege, grantable }) => {
      const to = grantee === everybody ? "public" : quoteName(grantee);
      return `grant ${privilege} on database ${name} to ${to}${grantable ? " with grant option" : ""}`;
    });
};

/** Settings whose value is a list of names: the server keeps them quoted already. */
const listSettings = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
  "unix_socket_directories",
]);

const applySettings = async (session: Session, name: string, facts: DatabaseFacts): Promise<void> => {
  for (const setting of facts.settings) {
    const subject =
      setting.role === null ? `alter database ${name}` : `alter role ${quoteName(setting.role)} in database ${name}`;
    if (!listSettings.has(setting.name)) {
      await session.query(`${subject} set ${quoteName(setting.name)} to ${quoteText(setting.value)}`);
      continue;
    }
    // Taken over as a whole from the session, since a literal would become one name with commas in it.
    await session.query("begin");
    await session.query("select set_config($1, $2, true)", [setting.name, setting.value]);
    await session.query(`${subject} set ${quoteName(setting.name)} from current`);
    await session.query("commit");
  }
};

/** Grants, settings and connection limit, under the new name. */
export const finishDatabase = async (session: Session, database: string, facts: DatabaseFacts): Promise<void> => {
  const name = quoteName(database);
  for (const statement of grantStatements(name, facts)) await session.query(statement);
  await applySettings(session, name, facts);
  await session.query(`alter database ${name} connection limit ${facts.connectionLimit}`);
};
