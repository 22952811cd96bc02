/** The exact rights that a user needs, and whether he has them. */
import type { MariadbTarget } from "./connection-target.ts";
import { privilegesOf } from "./mend/granted-rights.ts";
import { type SqlAccess, askSql, textOf } from "./sql-client.ts";
import { escapePattern, instanceName, quoteAccount, quoteName, retiredName } from "./sql-text.ts";

type Need = {
  /** In words, of what cannot be done without it. */
  readonly purpose: string;
  readonly privileges: readonly string[];
  /** `*.*`, or a pattern of databases as GRANT takes it. */
  readonly on: string;
};

const databasePattern = (pattern: string): string => `${quoteName(pattern)}.*`;

const patternsOf = ({ database }: MariadbTarget): readonly string[] =>
  // What a run's number is put in place of: the suffix stays as it is.
  [instanceName(database, 0), retiredName(database, 0)].map((name) => `${escapePattern(name.replace(/0$/, ""))}%`);

/** For all that moving tables, views, routines, triggers and events between databases takes. */
const all = [
  "SELECT",
  "INSERT",
  "UPDATE",
  "DELETE",
  "CREATE",
  "DROP",
  "ALTER",
  "INDEX",
  "REFERENCES",
  "CREATE VIEW",
  "SHOW VIEW",
  "CREATE ROUTINE",
  "ALTER ROUTINE",
  "EXECUTE",
  "TRIGGER",
  "EVENT",
] as const;

/** No capture and no recovery needs them, and so nobody is told that they are missing. */
export const ofMending = "-- for assess and mend, besides";

export type RightsFor = {
  /** Triggers or functions have to be made on a server that writes a binary log and trusts nobody without SUPER with them. */
  readonly makesTrusted: boolean;
  /** Its log is to be received, and gone on by. */
  readonly goesOn: boolean;
};

const needsOf = (target: MariadbTarget, { makesTrusted, goesOn }: RightsFor): readonly Need[] => [
  ...(makesTrusted
    ? [
        {
          purpose: "triggers and functions beside a binary log, unless log_bin_trust_function_creators is on",
          privileges: ["SUPER"],
          on: "*.*",
        },
      ]
    : []),
  ...(goesOn
    ? [
        {
          purpose: "receiving the binary log, and going on by it",
          privileges: ["REPLICATION SLAVE", "BINLOG REPLAY"],
          on: "*.*",
        },
      ]
    : []),
  { purpose: "the position of the binary log", privileges: ["BINLOG MONITOR"], on: "*.*" },
  { purpose: "definers of views, routines, triggers and events", privileges: ["SET USER"], on: "*.*" },
  {
    purpose: "seeing and ending the sessions that are in the way of a switch",
    privileges: ["PROCESS", "CONNECTION ADMIN"],
    on: "*.*",
  },
  { purpose: "bodies of routines", privileges: ["SELECT"], on: "`mysql`.`proc`" },
  { purpose: "capture, and moving what is live", privileges: all, on: databasePattern(escapePattern(target.database)) },
  ...patternsOf(target).map((pattern) => ({
    purpose: "restored databases and old sides",
    privileges: all,
    on: databasePattern(pattern),
  })),
];

export const grantStatements = (target: MariadbTarget, user: string, wanted: RightsFor): readonly string[] => [
  ...needsOf(target, wanted).map(({ privileges, on }) => `GRANT ${privileges.join(", ")} ON ${on} TO ${user};`),
  `${ofMending}: GRANT ${privilegesOf(["mend", "make"])
    .filter((privilege) => !all.some((one) => one === privilege))
    .join(", ")} ON ${databasePattern(escapePattern(target.database))} TO ${user};`,
];

export type Rights = { readonly account: string; readonly missing: readonly Need[] };

/** `GRANT SELECT, INSERT ON \`shop\`.* TO ...`: what, and where. */
const parseGrant = (line: string) => {
  const match = /^GRANT (?<what>.+?) ON (?<on>\S+) TO /.exec(line);
  return match?.groups === undefined
    ? null
    : {
        on: match.groups["on"] ?? "",
        what: new Set(
          (match.groups["what"] ?? "")
            .replaceAll(/\([^)]*\)/g, "")
            .split(/,\s*/)
            .map((one) => one.trim()),
        ),
      };
};

const readGrants = async (access: SqlAccess) =>
  (await askSql(access, "SHOW GRANTS;")).flatMap((one) => parseGrant(Object.values(one)[0] ?? "") ?? []);

/** What we may do everywhere. */
export const heldPrivileges = async (access: SqlAccess): Promise<ReadonlySet<string>> =>
  new Set((await readGrants(access)).flatMap(({ on, what }) => (on === "*.*" ? [...what] : [])));

/** By what the server says of us: rights of roles that are switched on included. */
export const readRights = async (access: SqlAccess, wanted: RightsFor): Promise<Rights> => {
  const [row] = await askSql(access, "SELECT CURRENT_USER() AS account;");
  const grants = await readGrants(access);
  const isGiven = (privilege: string, on: string): boolean =>
    grants.some(
      (grant) =>
        (grant.on === "*.*" || grant.on === on || (on === "`mysql`.`proc`" && grant.on === "`mysql`.*")) &&
        (grant.what.has("ALL PRIVILEGES") || grant.what.has(privilege)),
    );
  const missing = needsOf(access.target, wanted).flatMap((need) => {
    const privileges = need.privileges.filter((privilege) => !isGiven(privilege, need.on));
    return privileges.length === 0 ? [] : [{ ...need, privileges }];
  });
  return { account: quoteAccount(textOf(row, "account")), missing };
};
