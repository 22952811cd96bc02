/** What `validate --live` says of a database: can it be reached, captured, restored beside and switched, and with which rights. */
import type { PreflightReport } from "../../core/ports/driver.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { type Finding, failure, finding, listed } from "../../platform/postgres/preflight-finding.ts";
import { findDump } from "./client-programs.ts";
import { type MariadbTarget, describeAddress, resolveTarget } from "./connection-target.ts";
import { dumpArguments } from "./dump.ts";
import { readDatabases } from "./marker-table.ts";
import { logFindings } from "./log-findings.ts";
import { type MariadbContext, jobsOf } from "./mariadb-options.ts";
import { type Rights, grantStatements, readRights } from "./rights.ts";
import { type ServerFacts, readServerFacts } from "./server-facts.ts";
import { isOfOneMoment, listTables, tableWarnings } from "./source-tables.ts";
import { type SqlAccess, accessOf, askSql, numberOf } from "./sql-client.ts";
import { inDatabase, quoteName, quoteText } from "./sql-text.ts";

const rightsFindings = ({ missing }: Rights): readonly Finding[] =>
  missing.length === 0
    ? [finding(true, "rights", "all that a capture and a recovery need")]
    : missing.map(({ purpose, privileges, on }) =>
        finding(
          false,
          `rights: ${purpose}`,
          `no ${privileges.join(", ")} ON ${on}`,
          "give the rights below, as an administrator",
        ),
      );

const serverFindings = (server: ServerFacts): readonly Finding[] => [
  finding(!server.readOnly, "writable", server.readOnly ? "read_only is on" : "yes", "name the primary in the url"),
  finding(
    true,
    "binary log",
    server.hasBinlog
      ? `on, ${server.binlogFormat}; each point notes its position`
      : "off: a point has no position in it, and none can be rolled forward",
  ),
];

const tableFindings = async (access: SqlAccess): Promise<readonly Finding[]> => {
  const { database } = access.target;
  const isThere = (await readDatabases(access, [database])).has(database);
  if (!isThere) return [finding(false, `database ${database}`, "is not there, or nothing of it may be seen")];
  const tables = await listTables(access, database);
  const loose = tables.filter((table) => !isOfOneMoment(table)).map(({ name }) => name);
  return [
    finding(
      loose.length === 0,
      "one moment",
      loose.length === 0 ? `${tables.length} tables, views and sequences` : `not ${listed(loose)}: no transactions`,
      "ALTER TABLE ... ENGINE=InnoDB; until then points of it are not of one moment",
    ),
    ...tableWarnings(tables.filter(isOfOneMoment)).map((found) => finding(true, "rows", found)),
  ];
};

/** Also of those that the user cannot see: without rights there are none, and then the rights are told first. */
const hasTrusted = async (access: SqlAccess): Promise<boolean> => {
  const database = quoteText(access.target.database);
  const [row] = await askSql(
    access,
    `SELECT (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${database})
          + (SELECT COUNT(*) FROM information_schema.ROUTINES
              WHERE ROUTINE_SCHEMA = ${database} AND ROUTINE_TYPE = 'FUNCTION') AS found;`,
  );
  return numberOf(row, "found") > 0;
};

const commandsFor = (target: MariadbTarget, program: string, server: ServerFacts): readonly string[] => [
  "SHOW CREATE ...;  -- of each view, routine, trigger and event, before and after",
  [program, "--defaults-file=FILE", ...dumpArguments(target.database, { ignored: [], hasBinlog: server.hasBinlog })]
    .map(shellWord)
    .join(" "),
];

/** In the order in which a recovery uses them; what only a plan decides is in capitals. */
const recoveryCommandsFor = (context: MariadbContext, { database }: MariadbTarget): readonly string[] => {
  const [incoming, outgoing] = [`${database}_rN`, `${database}_oldN`];
  const move = (from: string, to: string): string => `${inDatabase(from, "TABLE")} TO ${inDatabase(to, "TABLE")}`;
  return [
    `CREATE DATABASE ${quoteName(incoming)};`,
    `mariadb --defaults-file=FILE --database=${shellWord(incoming)} < TABLE.sql  # ${jobsOf(context)} at a time`,
    "CREATE VIEW ...; CREATE FUNCTION ...; CREATE PROCEDURE ...; CREATE TRIGGER ...; CREATE EVENT ... DISABLE ...;",
    ...(context.options.pitr === undefined
      ? []
      : [
          `mariadb-binlog --no-defaults - | mariadb --defaults-file=FILE --database=${shellWord(incoming)}  # the log, to the moment`,
        ]),
    `CREATE DATABASE ${quoteName(outgoing)};`,
    "KILL CONNECTION ID;",
    `DROP TRIGGER ...; RENAME TABLE ${move(database, outgoing)}, ..., ${move(incoming, database)}, ...;`,
    "CREATE OR REPLACE VIEW ...; and what else cannot be renamed, on both sides",
    `DROP DATABASE ${quoteName(incoming)};`,
  ];
};

export const preflightMariadb = async (context: MariadbContext): Promise<PreflightReport> => {
  const target = await resolveTarget(context);
  const address = describeAddress(target);
  try {
    const access = await accessOf(context, "source");
    const server = await readServerFacts(access);
    const program = await findDump(server.version, context.signal).catch((error: unknown) =>
      failure("mariadb-dump", error),
    );
    const makesTrusted = !server.trustsCreators && (await hasTrusted(access));
    const goesOn = context.options.pitr !== undefined;
    const wanted = { makesTrusted, goesOn };
    const rights = await readRights(access, wanted);
    return {
      findings: [
        finding(true, address, `MariaDB ${server.version}, database ${target.database}, as ${target.user}`),
        ...serverFindings(server),
        "path" in program ? finding(true, "mariadb-dump", `${program.version} at ${program.path}`) : program,
        ...(await logFindings(access, context.options.pitr)),
        ...(await tableFindings(access)),
        ...rightsFindings(rights),
      ],
      commands: "path" in program ? commandsFor(target, program.path, server) : [],
      recoveryCommands: recoveryCommandsFor(context, target),
      grants: grantStatements(target, rights.account, wanted),
    };
  } catch (error) {
    context.signal.throwIfAborted();
    return { findings: [failure(address, error)], commands: [], recoveryCommands: [], grants: [] };
  }
};
