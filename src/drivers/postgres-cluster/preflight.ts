/** What `validate --live` says of a cluster: can it be read over the replication protocol, restored beside and switched, with which rights. */
import { access, constants, lstat } from "node:fs/promises";
import { dirname } from "node:path";
import { escapeIdentifier } from "pg";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { formatBytes } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { exchangeAbility } from "../../platform/path-exchange.ts";
import { portFinding } from "../../platform/folder-server/instance-port.ts";
import { type ConnectionTarget, describeAddress, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { type Finding, failure, finding, mountFindings } from "../../platform/postgres/preflight-finding.ts";
import { openReplicationSession } from "../../platform/postgres/replication-session.ts";
import { type Session, withSession } from "../../platform/postgres/session.ts";
import { systemdUnitOf } from "../../platform/process-table.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { baseBackupCommand, slotCommand } from "./base-backup.ts";
import { readServerFacts } from "./cluster-facts.ts";
import { type ClusterContext, dataPathOf, isCheckpointFast } from "./cluster-options.ts";
import { readControlData } from "./control-data.ts";
import { refuseCompany } from "./live-server.ts";
import { beginSql, endSql, keepLogSql } from "./low-level-backup.ts";
import { findPostmaster } from "./postmaster.ts";
import { type OwnFolder, findOwnFolder } from "./read-own-folder.ts";
import { findServerPrograms } from "./server-programs.ts";

type Settings = {
  readonly canReplicate: boolean;
  readonly walLevel: string;
  readonly fullPageWrites: boolean;
  readonly senders: number;
  readonly sendersUsed: number;
  readonly slots: number;
  readonly slotsUsed: number;
  readonly keepSize: string;
  readonly canReadSettings: boolean;
  readonly sizeBytes: number | null;
};

const settingsSql = `
  select (select rolreplication or rolsuper from pg_roles where rolname = current_user) as "canReplicate",
         current_setting('wal_level') as "walLevel", current_setting('full_page_writes')::bool as "fullPageWrites",
         current_setting('max_wal_senders')::int as senders, (select count(*)::int from pg_stat_replication) as "sendersUsed",
         current_setting('max_replication_slots')::int as slots, (select count(*)::int from pg_replication_slots) as "slotsUsed",
         current_setting('max_slot_wal_keep_size') as "keepSize",
         pg_has_role(current_user, 'pg_read_all_settings', 'member') as "canReadSettings",
         case when pg_has_role(current_user, 'pg_read_all_stats', 'member')
              then (select sum(pg_database_size(oid))::float8 from pg_database) end as "sizeBytes"`;

/** One for the backup; it sends its own log. */
const sendersNeeded = 1;

const settingFindings = (settings: Settings, user: string): readonly Finding[] => {
  const { walLevel, senders, sendersUsed, slots, slotsUsed, fullPageWrites, keepSize } = settings;
  return [
    finding(
      settings.canReplicate,
      `role ${user}`,
      settings.canReplicate ? "may replicate" : "may not replicate",
      `as an administrator: ALTER ROLE ${escapeIdentifier(user)} REPLICATION;`,
    ),
    finding(walLevel !== "minimal", "wal_level", walLevel, "set wal_level = replica and restart the server"),
    finding(
      senders - sendersUsed >= sendersNeeded,
      "max_wal_senders",
      `${senders}, ${sendersUsed} in use`,
      "raise max_wal_senders and restart the server",
    ),
    finding(
      true,
      "max_replication_slots",
      slots > slotsUsed
        ? `${slots}, ${slotsUsed} in use; a capture takes one that ends with it${keepSize === "-1" ? "" : `, and keeps at most ${keepSize} of log by it`}`
        : `${slots}, all in use: a capture keeps no log by itself, and fails when the server removes what it needs`,
    ),
    finding(
      true,
      "full_page_writes",
      fullPageWrites ? "on" : "off: the server turns them on for the time of a capture",
    ),
    finding(
      true,
      "libraries of the server",
      settings.canReadSettings
        ? "can be read: a recovered cluster loads those that only observe until it is armed"
        : "cannot be read: a recovered cluster loads none of them until it is armed",
      "GRANT pg_read_all_settings",
    ),
  ];
};

const folderFindings = async (
  context: ClusterContext,
  stable: string,
  sizeBytes: number | null,
): Promise<readonly Finding[]> => {
  const findings: Finding[] = [];
  const beside = dirname(stable);
  const refused = await access(beside, constants.W_OK | constants.X_OK).then(() => null, describeSystemError);
  const size = sizeBytes === null ? "" : `; the databases have ${formatBytes(sizeBytes)}`;
  findings.push(
    finding(
      refused === null,
      beside,
      refused === null
        ? `a restored cluster can be put here${size}`
        : `no restored cluster can be put here: ${refused}`,
    ),
  );
  findings.push(...(await mountFindings(stable)));
  const ability = await exchangeAbility(context.workDirectory, context.signal);
  findings.push(
    finding(
      true,
      stable,
      ability.atomic
        ? "is switched atomically, by renameat2, while its server is stopped"
        : `is switched by two renames: ${ability.why}`,
    ),
  );
  return findings;
};

/** Is the folder that of the server that answers? Else the wrong one would be switched. */
const identityFinding = async (context: ClusterContext, stable: string, systemIdentifier: string): Promise<Finding> => {
  if ((await lstat(stable).catch(() => null)) === null)
    return finding(false, stable, "is not there", "data: names the folder of the server on this machine");
  const found = (await readControlData(context, stable)).systemIdentifier;
  return found === systemIdentifier
    ? finding(true, stable, "is the data folder of the server that answers")
    : finding(
        false,
        stable,
        "is the data folder of another cluster than the one that answers",
        "correct data: or url:",
      );
};

const supervisorFinding = async (context: ClusterContext, stable: string): Promise<readonly Finding[]> => {
  const running = await findPostmaster(stable);
  const unit = running === null ? null : systemdUnitOf(running.pid);
  const { start, stop } = context.options;
  if (unit === null || (start !== undefined && stop !== undefined)) return [];
  return [
    finding(
      false,
      "start and stop of the server",
      `systemd runs it as ${unit}, and would not know of one that pg_ctl starts`,
      `declare start: systemctl start ${unit} and stop: systemctl stop ${unit}`,
    ),
  ];
};

const readingFinding = (own: OwnFolder): Finding =>
  finding(
    true,
    "how files are read",
    own.folder === null
      ? `the server sends all of them: ${own.why}`
      : `from ${own.folder}; those at rest since the capture before are not read`,
  );

const commandsFor = (context: ClusterContext, stable: string, programs: string, own: OwnFolder) => ({
  commands:
    own.folder === null
      ? [slotCommand("NAME"), baseBackupCommand("refloat", isCheckpointFast(context))]
      : [keepLogSql, beginSql(isCheckpointFast(context)), endSql],
  recoveryCommands: [
    `${programs}/pg_ctl -D ${stable}.rN -w start  -- replays the log, on a port of ${context.options.ports}`,
    context.options.stop ?? `${programs}/pg_ctl -D ${stable} -m fast -w stop`,
    `${programs}/pg_ctl -D ${stable}.rN -m fast -w stop`,
    `renameat2 ${stable} ${stable}.oldN  -- exchanges the two names`,
    context.options.start ?? `${programs}/pg_ctl -D ${stable} -w start`,
  ],
});

const grantsFor = (target: ConnectionTarget): readonly string[] => {
  const user = escapeIdentifier(target.user);
  return [
    `ALTER ROLE ${user} REPLICATION;`,
    `GRANT pg_read_all_settings TO ${user};`,
    `GRANT pg_read_all_stats TO ${user};`,
    `GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO ${user};  -- in database ${target.database}, to read files in place`,
    `-- pg_hba.conf, then SELECT pg_reload_conf(): host replication ${target.user} 127.0.0.1/32 scram-sha-256`,
  ];
};

const askServer = async (context: ClusterContext, session: Session, target: ConnectionTarget, stable: string) => {
  const findings: Finding[] = [];
  const ask = async (subject: string, look: () => Promise<readonly Finding[]>): Promise<void> => {
    try {
      findings.push(...(await look()));
    } catch (error) {
      context.signal.throwIfAborted();
      findings.push(failure(subject, error));
    }
  };
  const server = await readServerFacts(session, context.component);
  findings.push(
    finding(
      true,
      describeAddress(target),
      `PostgreSQL ${server.version}, ${server.databases.length} databases, as ${target.user}`,
    ),
  );
  const [settings] = await session.query<Settings>(settingsSql);
  if (settings === undefined) throw new RefloatError("bug", "a query without a condition has no row");
  findings.push(...settingFindings(settings, target.user));
  let programs = `/usr/lib/postgresql/${server.major}/bin`;
  await ask(`programs of PostgreSQL ${server.major}`, async () => {
    programs = await findServerPrograms(context, server.major);
    return [finding(true, `programs of PostgreSQL ${server.major}`, programs)];
  });
  if (settings.canReplicate)
    await ask("replication", async () => {
      const { marker, signal } = context;
      const replication = await openReplicationSession({ target, marker, role: "source", signal });
      try {
        const { systemIdentifier } = await replication.identify();
        return [finding(true, "replication", "is let in"), await identityFinding(context, stable, systemIdentifier)];
      } finally {
        await replication.close();
      }
    });
  await ask(stable, () => folderFindings(context, stable, settings.sizeBytes));
  await ask(stable, async () => {
    await refuseCompany(context, stable);
    return [finding(true, "company", "no standby and no manager: it can be switched")];
  });
  await ask("start and stop of the server", () => supervisorFinding(context, stable));
  findings.push(portFinding(context, "cluster"));
  let own: OwnFolder = { folder: null, why: "its folder could not be looked at" };
  await ask("how files are read", async () => {
    own = await findOwnFolder({ context, session });
    return [readingFinding(own)];
  });
  return { findings, ...commandsFor(context, stable, programs, own), grants: grantsFor(target) };
};

export const preflightCluster = async (context: ClusterContext): Promise<PreflightReport> => {
  const target = await resolveTarget(context);
  const stable = await dataPathOf(context);
  const { marker, signal } = context;
  try {
    return await withSession({ target, marker, role: "source", signal }, (session) =>
      askServer(context, session, target, stable),
    );
  } catch (error) {
    signal.throwIfAborted();
    return {
      findings: [failure(describeAddress(target), error)],
      commands: [],
      recoveryCommands: [],
      grants: grantsFor(target),
    };
  }
};
