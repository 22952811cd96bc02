/** A base backup as the server reads and sends it, each byte held against the server's manifest: from anywhere, with no more than `REPLICATION`. */
import { openReplicationSession } from "../../platform/postgres/replication-session.ts";
import { compareWithManifest, readBackupManifest } from "./backup-manifest.ts";
import { baseBackupCommand, readBaseBackup, slotCommand } from "./base-backup.ts";
import { isCheckpointFast } from "./cluster-options.ts";
import { keepLog } from "./keep-log.ts";
import { judgeLeftOut } from "./left-out.ts";
import { storeArchives } from "./store-archives.ts";
import type { ClusterSink, ClusterSource, StoredBackup } from "./stored-cluster.ts";

/** @param onRead when the last byte has come @throws RefloatError source.*; what the sink throws */
export const readOverProtocol = async (
  { context, asked, server }: ClusterSource,
  { sink, root, progress }: ClusterSink,
  onRead: () => Promise<void>,
): Promise<StoredBackup> => {
  const { signal } = context;
  const replication = await openReplicationSession(asked);
  try {
    await keepLog(context, (name) => replication.command(slotCommand(name)));
    const backup = readBaseBackup(replication, baseBackupCommand("refloat", isCheckpointFast(context)));
    const { files, folders } = await storeArchives(backup.archives, { sink, root, signal, progress });
    await onRead();
    const { start, end, tablespaces, manifest } = backup.end();
    compareWithManifest(readBackupManifest(manifest), files, server.walSegmentBytes);
    const warnings = judgeLeftOut(replication.warnings(), new Set(files.keys()));
    const sizes = new Map([...files].map(([path, { sizeBytes }]) => [path, sizeBytes]));
    const sizeBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    return { start, end, tablespaces, manifest, files: files.size, sizeBytes, sizes, folders, warnings };
  } finally {
    await replication.close();
  }
};
