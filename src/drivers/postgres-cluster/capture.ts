/** Capture of a whole cluster: a base backup, straight into the vault, and what is known of the cluster as of its end. */
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import { type Facts, type FactUnit } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import { withSession } from "../../platform/postgres/session.ts";
import { type CapturedDetail, type ServerFacts, readFolderFacts, readServerFacts } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { startLogClock } from "./log-clock.ts";
import { type PositionMark, makePosition, oldestRunning, takeMark } from "./position.ts";
import { findOwnFolder, readOwnFolder } from "./read-own-folder.ts";
import { readOverProtocol } from "./read-over-protocol.ts";
import type { ClusterSink, ClusterSource, StoredBackup } from "./stored-cluster.ts";
import { layoutName, manifestName } from "./vault-places.ts";

const sizeByDatabase = (
  { databases }: ServerFacts,
  sizes: ReadonlyMap<string, number>,
): Readonly<Record<string, FactUnit>> => {
  const byOid = new Map<string, number>();
  for (const [path, size] of sizes) {
    const oid = /^(?:base|pg_tblspc\/\d+\/PG_[^/]+)\/(\d+)\//.exec(path)?.[1];
    if (oid !== undefined) byOid.set(oid, (byOid.get(oid) ?? 0) + size);
  }
  return Object.fromEntries(databases.map(({ name, oid }) => [name, { sizeBytes: byOid.get(oid) ?? 0 }]));
};

/** Only unlogged tables and their indexes have this fork, in whatever database they are. */
const initFork = /\/\d+_init$/;

const warningsOf = (
  { preparedTransactions, subscriptions, preloadedLibraries }: ServerFacts,
  sizes: ReadonlyMap<string, number>,
): readonly string[] => [
  ...([...sizes.keys()].some((path) => initFork.test(path))
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
  readonly mark: PositionMark;
  readonly backup: StoredBackup;
  readonly window: { readonly beginAt: Date; readonly endAt: Date };
};

const takeBackup = async (source: ClusterSource, into: ClusterSink): Promise<Taken> => {
  const { context, server, session, asked } = source;
  const own = await findOwnFolder(source);
  if (own.folder === null) context.log.info(`${context.component} is sent by its server: ${own.why}`);
  // Before the end of the backup, so that no row of a transaction that it does not have is older.
  const firstAfter = await oldestRunning(session);
  const clock = await startLogClock(session, context.clock, context.signal);
  const onRead = async (): Promise<void> => {
    await clock.look();
    await clock.stop();
  };
  try {
    const backup = await (own.folder === null
      ? readOverProtocol(source, into, onRead)
      : readOwnFolder(source, own, into, onRead));
    // Counted after the end, not before the beginning: what was written in between is in the point.
    const mark = { ...(await takeMark(session, asked)), firstAfter };
    return { server, mark, backup, window: clock.around(backup.end.lsn) };
  } finally {
    await clock.stop();
  }
};

export const captureCluster = async (context: ClusterContext, sink: CaptureSink): Promise<CaptureReport> => {
  const { marker, signal } = context;
  const asked = { target: await resolveTarget(context), marker, role: "source", signal } as const;
  const root = `/${context.component}`;
  const folder = await readFolderFacts(context);
  const progress = accumulateProgress(context.progress, { unit: "files" });
  const { server, mark, backup, window } = await withSession(asked, async (session) => {
    const facts = await readServerFacts(session, context.component);
    return takeBackup({ context, server: facts, asked, session }, { sink, root, progress });
  });
  const { start, end, manifest, folders, sizeBytes } = backup;
  if (end.timeline !== start.timeline)
    throw new RefloatError("source.failed", "the server changed its timeline while it was captured", {
      state: "no point was made",
    });
  if (manifest !== null) await sink.bytes(`${root}/${manifestName}`, manifest);
  const tablespaces = backup.tablespaces.map(({ oid, location }) => ({ oid, location }));
  await sink.bytes(`${root}/${layoutName}`, Buffer.from(`${JSON.stringify({ folders, tablespaces }, null, 1)}\n`));
  const detail: CapturedDetail = {
    systemIdentifier: mark.systemIdentifier,
    timeline: end.timeline,
    startLsn: start.lsn,
    endLsn: end.lsn,
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
    counts: { databases: server.databases.length, files: backup.files },
    units: sizeByDatabase(server, backup.sizes),
    position: makePosition(window.beginAt, { ...mark, timeline: end.timeline, lsn: end.lsn }),
    versions: { server: server.version },
    detail: toJsonObject(detail),
  };
  return {
    path: root,
    facts,
    window: { beginAt: window.beginAt.toISOString(), endAt: window.endAt.toISOString() },
    consistency: "snapshot",
    warnings: [...warningsOf(server, backup.sizes), ...backup.warnings],
  };
};
