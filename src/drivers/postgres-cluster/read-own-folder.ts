/**
 * A backup read from the data folder, where that is on this machine: begun and ended by SQL, the files read by the vault's threads. The server
 * reads, hashes and sends nothing, and files at rest since the capture before are not read at all.
 */
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { bytesBefore, comparePositions } from "../../core/logs/log-position.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { withSession } from "../../platform/postgres/session.ts";
import { neededLog } from "./backup-manifest.ts";
import { type ClusterContext, dataPathOf, isCheckpointFast } from "./cluster-options.ts";
import { readControlData } from "./control-data.ts";
import { keepLog } from "./keep-log.ts";
import { beginBackup, endBackup, keepLogSql, readFolderRights, readPageSizes } from "./low-level-backup.ts";
import { findPostmaster } from "./postmaster.ts";
import { storeFolder, storeLogFiles } from "./store-folder.ts";
import type { ClusterSink, ClusterSource, StoredBackup } from "./stored-cluster.ts";
import { placeInVault } from "./vault-places.ts";

/** A folder that can be read from, or why the server has to send its files. */
export type OwnFolder =
  | { readonly folder: string; readonly runningSince: Date; readonly systemIdentifier: string }
  | { readonly folder: null; readonly why: string };

/** Reads nothing but names. @throws RefloatError source.failed where another server than the one that answers runs in the folder */
export const findOwnFolder = async ({
  context,
  session,
}: Pick<ClusterSource, "context" | "session">): Promise<OwnFolder> => {
  const not = (why: string): OwnFolder => ({ folder: null, why });
  const folder = await dataPathOf(context);
  const refused = await access(join(folder, "global", "pg_control"), constants.R_OK).then(
    () => false,
    () => true,
  );
  if (refused) return not(`${folder} cannot be read here`);
  const running = await findPostmaster(folder);
  if (running === null) return not(`no server runs in ${folder} on this machine`);
  const { mayBackUp, mayReplicate, runningSince, systemIdentifier, port } = await readFolderRights(session);
  if (running.port !== port) throw otherServer(folder);
  if (!mayBackUp) return not("the role may not execute pg_backup_start and pg_backup_stop");
  if (!mayReplicate) return not("the role may not replicate");
  return { folder, runningSince, systemIdentifier };
};

const otherServer = (folder: string): RefloatError =>
  new RefloatError("source.failed", `${folder} is not the data folder of the server that answers`, {
    state: "no point was made",
    hint: "correct data: or url:",
  });

/** A copy of the folder would have the same names and another checkpoint. @throws RefloatError source.failed */
const requireLive = async (
  context: ClusterContext,
  { folder, systemIdentifier }: Extract<OwnFolder, { readonly folder: string }>,
  start: string,
): Promise<void> => {
  const found = await readControlData(context, folder);
  if (found.systemIdentifier !== systemIdentifier || comparePositions(found.position, start) < 0)
    throw otherServer(folder);
};

/** @param onRead when the backup has ended @throws RefloatError source.*; what the sink throws */
export const readOwnFolder = async (
  { context, asked, server }: ClusterSource,
  own: Extract<OwnFolder, { readonly folder: string }>,
  into: ClusterSink,
  onRead: () => Promise<void>,
): Promise<StoredBackup> => {
  const { folder, runningSince } = own;
  const destination = { ...into, signal: context.signal };
  const data = placeInVault(into.root, null);
  return withSession(asked, async (session) => {
    await keepLog(context, (name) => session.query(keepLogSql, [name]));
    const { start, tablespaces } = await beginBackup(session, isCheckpointFast(context));
    await requireLive(context, own, start.lsn);
    const pages = server.dataChecksums ? { startLsn: bytesBefore(start.lsn), ...(await readPageSizes(session)) } : null;
    const stored = await storeFolder(folder, tablespaces, { runningSince, pages }, destination);
    const { end, label, tablespaceMap } = await endBackup(session);
    await onRead();
    const wal = [{ timeline: end.timeline, startLsn: start.lsn, endLsn: end.lsn }];
    const log = await storeLogFiles(
      folder,
      neededLog({ wal }, server.walSegmentBytes),
      server.walSegmentBytes,
      destination,
    );
    await into.sink.bytes(`${data}/backup_label`, Buffer.from(label));
    if (tablespaceMap !== "") await into.sink.bytes(`${data}/tablespace_map`, Buffer.from(tablespaceMap));
    return {
      ...stored,
      start,
      end,
      tablespaces,
      manifest: null,
      warnings: [],
      files: stored.files + log.files,
      sizeBytes: stored.sizeBytes + log.sizeBytes,
    };
  });
};
