/**
 * Roles that a restored database needs. Missing ones are created without a password; existing ones are never altered, since old
 * passwords, rights and memberships must not come back with old data.
 */
import type { RoleFacts } from "./database-facts.ts";
import { quoteName, quoteText } from "./instance-names.ts";
import type { Session } from "../../platform/postgres/session.ts";

/** Powers over the whole server are for a person to give, not for a restore of one database. */
const withheld = (role: RoleFacts): string[] =>
  [
    role.superuser ? "SUPERUSER" : "",
    role.createRole ? "CREATEROLE" : "",
    role.replication ? "REPLICATION" : "",
    role.bypassRowSecurity ? "BYPASSRLS" : "",
  ].filter((word) => word !== "");

const createStatement = (role: RoleFacts): string =>
  [
    `create role ${quoteName(role.name)}`,
    role.login ? "login" : "nologin",
    role.inherit ? "inherit" : "noinherit",
    role.createDatabase ? "createdb" : "nocreatedb",
    `connection limit ${role.connectionLimit}`,
    ...(role.validUntil === null ? [] : [`valid until ${quoteText(role.validUntil)}`]),
  ].join(" ");

/** What was limited must not come back as a plain membership, which gives more. Limits are of 16 and newer servers alone, and so is this clause. */
const membershipClause = (limits: RoleFacts["memberLimits"][string] | undefined): string =>
  limits === undefined ? "" : ` with inherit ${limits.inherit}, set ${limits.set}`;

/** @returns what a person must know and do about the roles that were created */
export const createMissingRoles = async (session: Session, roles: readonly RoleFacts[]): Promise<readonly string[]> => {
  const names = roles.map(({ name }) => name);
  const present = await session.query<{ name: string }>(
    "select rolname as name from pg_roles where rolname = any($1)",
    [names],
  );
  const known = new Set(present.map(({ name }) => name));
  const missing = roles.filter(({ name }) => !known.has(name));
  const warnings: string[] = [];
  for (const role of missing) {
    await session.query(createStatement(role));
    known.add(role.name);
    const powers = withheld(role);
    warnings.push(
      `role ${quoteName(role.name)} was missing and was created${role.login ? " without a password" : ""}` +
        (powers.length === 0 ? "" : `, and without ${powers.join(", ")}, which it had`),
    );
  }
  for (const role of missing) {
    for (const group of role.memberOf) {
      if (!known.has(group)) continue;
      await session.query(
        `grant ${quoteName(group)} to ${quoteName(role.name)}${membershipClause(role.memberLimits[group])}`,
      );
    }
  }
  return warnings;
};
