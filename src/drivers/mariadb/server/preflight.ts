/** What `validate --live` says of a server: can it be read by mariadb-backup, restored beside and switched, with which rights and programs. */
import { access as fileAccess, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport } from "../../../core/ports/driver.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { portFinding } from "../../../platform/folder-server/instance-port.ts";
import { exchangeAbility } from "../../../platform/path-exchange.ts";
import {
  type Finding,
  failure,
  finding,
  mountFindings,
  ofCapture,
} from "../../../platform/postgres/preflight-finding.ts";
import { systemdUnitOf } from "../../../platform/process-table.ts";
import { describeSystemError } from "../../../platform/system-error.ts";
import { logFindings } from "../log-findings.ts";
import { describeAddress } from "../connection-target.ts";
import { type SqlAccess, askSql, textOf } from "../sql-client.ts";
import { privilegesOf } from "../mend/granted-rights.ts";
import { heldPrivileges, ofMending } from "../rights.ts";
import { quoteAccount } from "../sql-text.ts";
import { backupArguments } from "./backup-program.ts";
import { refuseCompany } from "./live-server.ts";
import { type ServerContext, dataPathOf, liveAccessOf } from "./server-options.ts";
import { findServer } from "./server-process.ts";
import { findServerProgram } from "./server-programs.ts";
import { type LiveServer, logOutside, readLiveServer, whyNotCaptured } from "./server-settings.ts";

type Need = { readonly purpose: string; readonly privileges: readonly string[] };

const needsOf = (goesOn: boolean): readonly Need[] => [
  {
    purpose: "mariadb-backup, and who follows the server",
    privileges: ["RELOAD", "PROCESS", "LOCK TABLES", "BINLOG MONITOR"],
  },
  ...(goesOn ? [{ purpose: "receiving the binary log", privileges: ["REPLICATION SLAVE"] }] : []),
];

const serverGrants = (account: string, goesOn: boolean): readonly string[] => [
  ...needsOf(goesOn).map(({ privileges }) => `GRANT ${privileges.join(", ")} ON *.* TO ${account};`),
  `${ofMending}, in each database: GRANT ${privilegesOf(["mend"]).join(", ")} ON \`DATABASE\`.* TO ${account};`,
];

const rightsFindings = (held: ReadonlySet<string>, goesOn: boolean): readonly Finding[] => {
  const missing = needsOf(goesOn).flatMap(({ purpose, privileges }) => {
    const lacking = privileges.filter((privilege) => !held.has(privilege) && !held.has("ALL PRIVILEGES"));
    return lacking.length === 0 ? [] : [{ purpose, lacking }];
  });
  return missing.length === 0
    ? [finding(true, "rights", "all that a capture and a recovery need")]
    : missing.map(({ purpose, lacking }) =>
        finding(
          false,
          `rights: ${purpose}`,
          `no ${lacking.join(", ")} ON *.*`,
          "give the rights below, as an administrator",
        ),
      );
};

const folderFindings = async (
  context: ServerContext,
  server: LiveServer,
  stable: string,
): Promise<readonly Finding[]> => {
  const refusal = await whyNotCaptured(server, stable);
  const beside = dirname(stable);
  const refused = await fileAccess(beside, constants.W_OK | constants.X_OK).then(() => null, describeSystemError);
  const ability = await exchangeAbility(context.workDirectory, context.signal);
  const outside = await logOutside(server, stable);
  return [
    refusal === null
      ? finding(true, stable, "is the data folder of the server that answers")
      : failure(stable, refusal),
    finding(
      refused === null,
      beside,
      refused === null ? "a restored server can be put here" : `no restored server can be put here: ${refused}`,
    ),
    ...(await mountFindings(stable)),
    finding(
      true,
      stable,
      ability.atomic
        ? "is switched atomically, by renameat2, while its server is stopped"
        : `is switched by two renames: ${ability.why}`,
    ),
    finding(
      outside === null,
      "binary log",
      outside === null
        ? server.hasBinlog
          ? "in the data folder; each point notes its position"
          : "off: a point has no position in it, and none can be rolled forward"
        : `at ${outside}, outside of the data folder: a recovered server would go on in the log of the old one`,
      "log_bin = binlog puts it into the data folder",
    ),
  ];
};

const processFindings = async (context: ServerContext, stable: string): Promise<readonly Finding[]> => {
  const running = await findServer(stable);
  if (running === null)
    return [
      ofCapture(
        finding(
          false,
          stable,
          "no server is seen to work in it on this machine",
          "run refloat where the data folder lies, as root or as its owner",
        ),
      ),
    ];
  const unit = systemdUnitOf(running.pid);
  const { start, stop } = context.options;
  if (unit === null || (start !== undefined && stop !== undefined)) return [];
  return [
    finding(
      false,
      "start and stop of the server",
      `systemd runs it as ${unit}, and would not know of one that is started without it`,
      `declare start: systemctl start ${unit} and stop: systemctl stop ${unit}`,
    ),
  ];
};

const companyFindings = async (
  context: ServerContext,
  stable: string,
  server: LiveServer,
): Promise<readonly Finding[]> => {
  // Told above.
  if ((await logOutside(server, stable)) !== null) return [];
  await refuseCompany(context, stable);
  return [finding(true, "company", "follows nobody, and nobody follows it: it can be switched")];
};

const askServer = async (context: ServerContext, access: SqlAccess, stable: string): Promise<PreflightReport> => {
  const findings: Finding[] = [];
  const ask = async (subject: string, look: () => Promise<readonly Finding[]>): Promise<void> => {
    try {
      findings.push(...(await look()));
    } catch (error) {
      context.signal.throwIfAborted();
      findings.push(failure(subject, error));
    }
  };
  const { pitr } = context.options;
  const goesOn = pitr !== undefined;
  const held = await heldPrivileges(access);
  const [row] = await askSql(access, "SELECT CURRENT_USER() AS account;");
  const account = quoteAccount(textOf(row, "account"));
  const rights = rightsFindings(held, goesOn);
  const server = await readLiveServer(access);
  findings.push(finding(true, describeAddress(access.target), `MariaDB ${server.version}, as ${access.target.user}`));
  findings.push(...rights);
  let backup = "mariadb-backup";
  await ask("mariadb-backup", async () => {
    const found = await findServerProgram(context, "mariadb-backup", server.version);
    backup = found.path;
    return [finding(true, "mariadb-backup", `${found.version} at ${found.path}`)];
  });
  await ask("mariadbd", async () => {
    const found = await findServerProgram(context, "mariadbd", server.version);
    return [finding(true, "mariadbd for a restored server", `${found.version} at ${found.path}`)];
  });
  await ask(stable, () => folderFindings(context, server, stable));
  await ask("company", () => companyFindings(context, stable, server));
  await ask("start and stop of the server", () => processFindings(context, stable));
  findings.push(...(await logFindings(access, pitr)));
  findings.push(portFinding(context, "server"));
  return {
    findings,
    commands: [[backup, ...backupArguments("FILE", "FOLDER")].join(" ")],
    recoveryCommands: [
      `${backup} --no-defaults --prepare --target-dir=${stable}.rN`,
      `mariadbd --no-defaults --datadir=${stable}.rN ...  -- on a port of ${context.options.ports}`,
      ...(goesOn ? ["mariadb-binlog --no-defaults - | mariadb --defaults-file=FILE  -- the log, to the moment"] : []),
      `UPDATE mysql.event SET status = 'SLAVESIDE_DISABLED' WHERE status = 'ENABLED';  -- in the restored server`,
      context.options.stop ?? `kill -TERM PID  -- of the server in ${stable}`,
      `renameat2 ${stable} ${stable}.oldN  -- exchanges the two names`,
      context.options.start ?? "mariadbd ...  -- with the words that it ran with",
    ],
    grants: serverGrants(account, goesOn),
  };
};

export const preflightServer = async (context: ServerContext): Promise<PreflightReport> => {
  const access = await liveAccessOf(context, "source");
  const stable = await dataPathOf(context);
  try {
    return await askServer(context, access, stable);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return {
      findings: [failure(describeAddress(access.target), error)],
      commands: [],
      recoveryCommands: [],
      grants: [],
    };
  }
};
