/** Capture of a whole cluster: a base backup over the replication protocol, straight into the vault, each byte held against its manifest. */
import { randomBytes } from "node:crypto";
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import { type Facts, type FactUnit } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { type ConnectionTarget, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { type ReplicationSession, openReplicationSession } from "../../platform/postgres/replication-session.ts";
import { withSession } from "../../platform/postgres/session.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { type StoredFile, compareWithManifest, readBackupManifest } from "./backup-manifest.ts";
import { type BackupEnd, baseBackupCommand, readBaseBackup, slotCommand } from "./base-backup.ts";
import { type CapturedDetail, type ServerFacts, readFolderFacts, readServerFacts } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { type LogClock, startLogClock } from "./log-clock.ts";
import { type PositionMark, makePosition, takeMark } from "./position.ts";
import { type StoredArchives, storeArchives } from "./store-archives.ts";
import { layoutName, manifestName } from "./vault-places.ts";

const noFreeSlot = "53400";

/** Without a free slot the backup may find its log removed, and then fails whole: nothing torn is ever kept. */
const keepLog = async (context: ClusterContext, replication: ReplicationSession): Promise<void> => {
  try {
    await replication.command(slotCommand(`refloat_${randomBytes(6).toString("hex")}`));
  } catch (error) {
    if (sqlStateOf(error) !== noFreeSlot) throw error;
    context.log.warn(
      `${context.component} has no free replication slot: if its log is removed while it is captured, the capture fails (max_replication_slots)`,
    );
  }
};

const sizeByDatabase = (
  { databases }: ServerFacts,
  files: ReadonlyMap<string, StoredFile>,
): Readonly<Record<string, FactUnit>> => {
  const byOid = new Map<string, number>();
  for (const [path, { sizeBytes }] of files) {
    const oid = /^(?:base|pg_tblspc\/\d+\/PG_[^/]+)\/(\d+)\//.exec(path)?.[1];
    if (oid !== undefined) byOid.set(oid, (byOid.get(oid) ?? 0) + sizeBytes);
  }
  return Object.fromEntries(databases.map(({ name, oid }) => [name, { sizeBytes: byOid.get(oid) ?? 0 }]));
};

const warningsOf = ({
  unloggedTables,
  preparedTransactions,
  subscriptions,
  preloadedLibraries,
}: ServerFacts): readonly string[] => [
  ...(unloggedTables > 0
    ? ["unlogged tables are empty after a recovery: their rows are in no log and in no base backup"]
    : []),
  ...(preparedTransactions > 0
    ? [`${preparedTransactions} prepared transactions are in the point; commit or roll them back after a recovery`]
    : []),
  ...(subscriptions > 0
    ? ["subscriptions are in the point; after a recovery they receive nothing until they are armed"]
    : []),
  ...(preloadedLibraries === null
    ? [
        "which libraries the server loads is not known: a recovered cluster loads none until it is armed (GRANT pg_read_all_settings keeps those that only observe)",
      ]
    : []),
];

type Taken = {
  readonly server: ServerFacts;
  readonly systemIdentifier: string;
  readonly mark: PositionMark;
  readonly end: BackupEnd;
  readonly stored: StoredArchives;
  readonly window: { readonly beginAt: Date; readonly endAt: Date };
};

const takeBackup = async (
  context: ClusterContext,
  target: ConnectionTarget,
  sink: CaptureSink,
  root: string,
): Promise<Taken> => {
  const { marker, signal } = context;
  const asked = { target, marker, role: "source", signal } as const;
  return withSession(asked, async (session) => {
    const server = await readServerFacts(session, context.component);
    const replication = await openReplicationSession(asked);
    let clock: LogClock | null = null;
    try {
      const { systemIdentifier } = await replication.identify();
      await keepLog(context, replication);
      clock = await startLogClock(session, context.clock, signal);
      const backup = readBaseBackup(replication, baseBackupCommand("refloat", context.options.fastCheckpoint ?? true));
      const progress = accumulateProgress(context.progress, { unit: "files" });
      const stored = await storeArchives(backup.archives, { sink, root, signal, progress });
      await clock.look();
      await clock.stop();
      const end = backup.end();
      // Counted after the end, not before the beginning: what was written in between is in the point.
      const mark = await takeMark(session, asked);
      return { server, systemIdentifier, mark, end, stored, window: clock.around(end.end.lsn) };
    } finally {
      await clock?.stop();
      await replication.close();
    }
  });
};

export const captureCluster = async (context: ClusterContext, sink: CaptureSink): Promise<CaptureReport> => {
  const target = await resolveTarget(context);
  const root = `/${context.component}`;
  const folder = await readFolderFacts(context);
  const { server, systemIdentifier, mark, end, stored, window } = await takeBackup(context, target, sink, root);
  const manifest = readBackupManifest(end.manifest);
  if (end.end.timeline !== end.start.timeline)
    throw new RefloatError("source.failed", "the server changed its timeline while it was captured", {
      state: "no point was made",
    });
  compareWithManifest(manifest, stored.files, server.walSegmentBytes);
  await sink.bytes(`${root}/${manifestName}`, end.manifest);
  const tablespaces = end.tablespaces.map(({ oid, location }) => ({ oid, location }));
  await sink.bytes(
    `${root}/${layoutName}`,
    Buffer.from(`${JSON.stringify({ folders: stored.folders, tablespaces }, null, 1)}\n`),
  );
  const sizeBytes = [...stored.files.values()].reduce((sum, file) => sum + file.sizeBytes, 0);
  const detail: CapturedDetail = {
    systemIdentifier,
    timeline: end.end.timeline,
    startLsn: end.start.lsn,
    endLsn: end.end.lsn,
    major: server.major,
    dataChecksums: server.dataChecksums,
    walSegmentBytes: server.walSegmentBytes,
    databases: server.databases,
    tablespaces,
    preloadedLibraries: server.preloadedLibraries,
    ...folder,
  };
  const facts: Facts = {
    sizeBytes,
    counts: { databases: server.databases.length, files: stored.files.size },
    units: sizeByDatabase(server, stored.files),
    position: makePosition(window.beginAt, { ...mark, timeline: end.end.timeline, lsn: end.end.lsn }),
    versions: { server: server.version },
    detail: toJsonObject(detail),
  };
  return {
    path: root,
    facts,
    window: { beginAt: window.beginAt.toISOString(), endAt: window.endAt.toISOString() },
    consistency: "snapshot",
    warnings: [...warningsOf(server)],
  };
};
