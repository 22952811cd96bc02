/**
 * Restores a cluster beside the live one: files, folders, tablespaces at places of their own, disarmed; then its server replays the log to the
 * end of the backup and is started on a free port. The name is given last, when all of this has gone well.
 */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { InstanceOperations, InstanceTarget } from "../../core/ports/driver.ts";
import type { SnapshotReader, VaultProgress } from "../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { giveTree } from "../../platform/folder-server/folder-owner.ts";
import { chooseInstancePort } from "../../platform/folder-server/instance-port.ts";
import { restoreInstance } from "../../platform/path-instance.ts";
import { partialPath } from "../../platform/path-names.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { pathExists, syncFileSystem } from "../../platform/tree-files.ts";
import { readBackupManifest } from "./backup-manifest.ts";
import { capturedDetailSchema } from "./cluster-facts.ts";
import { type ClusterContext, type ClusterOptions, dataPathOf } from "./cluster-options.ts";
import { compareRestored } from "./compare-restored.ts";
import { readControlData } from "./control-data.ts";
import { recordDisarmed } from "./arming/record-disarmed.ts";
import { disarm } from "./disarm.ts";
import { startInstance, writeInstanceFiles } from "./instance-server.ts";
import { stopPostmaster } from "./postmaster.ts";
import { futureOwner, makeFolders } from "./owned-folders.ts";
import { findProgramDifferences } from "./program-differences.ts";
import { type Recovery, prepareRecovery, removeRecoveryFiles } from "./recovery.ts";
import { requireReplayed } from "./replay-end.ts";
import { clusterStart } from "./start-record.ts";
import { findServerPrograms } from "./server-programs.ts";
import { formatTablespaceMap, planLocations, restoredLocation } from "./tablespaces.ts";
import { type Layout, dataFolder, layoutName, manifestName, parseLayout, placeInVault } from "./vault-places.ts";

type Restore = InstanceOperations<ClusterOptions>["restore"];

type Placed = { readonly oid: string; readonly path: string };

/** Each into a new folder. @throws RefloatError instance.exists when there is something */
const restoreTablespaces = async (
  context: ClusterContext,
  stable: string,
  target: InstanceTarget,
  source: {
    readonly reader: SnapshotReader;
    readonly root: string;
    readonly layout: Layout;
    readonly progress: VaultProgress;
  },
): Promise<readonly Placed[]> => {
  const { signal } = context;
  const placed: readonly Placed[] = await Promise.all(
    source.layout.tablespaces.map(async (one) => ({
      oid: one.oid,
      path: await restoredLocation(stable, target.run, one),
    })),
  );
  for (const { path } of placed)
    if (await pathExists(path))
      throw new RefloatError("instance.exists", `${path} is there already, where a tablespace is to be restored`, {
        hint: "move it away by hand if nobody needs it, then resume",
      });
  await planLocations(
    partialPath(target.name),
    placed.map(({ path }) => path),
  );
  for (const { oid, path } of placed) {
    const place = placeInVault(source.root, oid);
    // One in which nothing was ever put has no file, and so is not in the snapshot.
    if ((await source.reader.stat(place)) === undefined) await mkdir(path, { mode: 0o700 });
    else await source.reader.extract(place, path, signal, source.progress);
    await makeFolders(path, source.layout.folders[oid] ?? []);
  }
  return placed;
};

const recover = async (context: ClusterContext, folder: string, recovery: Recovery): Promise<void> => {
  let failure: { readonly reason: unknown } | null = null;
  try {
    await startInstance(context, folder, recovery.settings);
  } catch (reason) {
    failure = { reason };
  }
  // A log that could not be read is why the server gave up.
  await recovery.end();
  if (failure !== null) throw failure.reason;
};

export const restoreCluster: Restore = async (context, target, source, captured, replay, knownLines = []) => {
  const { signal } = context;
  const stable = await dataPathOf(context);
  const detail = capturedDetailSchema.parse(captured.facts.detail);
  await findServerPrograms(context, detail.major);
  const port = chooseInstancePort(context);
  const layout = parseLayout(await source.read(`${captured.path}/${layoutName}`));
  const manifestPath = `${captured.path}/${manifestName}`;
  const isListed = (await source.stat(manifestPath)) !== undefined;
  const manifest = isListed ? readBackupManifest(await collect(source, manifestPath)) : null;
  const progress = accumulateProgress(context.progress, {
    unit: "files",
    bytesTotal: captured.facts.sizeBytes,
    itemsTotal: captured.facts.counts["files"] ?? 0,
  });
  const finish = async (folder: string): Promise<void> => {
    const owner = await futureOwner(context, stable, detail);
    await makeFolders(folder, layout.folders[dataFolder] ?? []);
    const placed = await restoreTablespaces(context, stable, target, {
      reader: source,
      root: captured.path,
      layout,
      progress,
    });
    if (manifest !== null) await compareRestored(folder, placed, manifest);
    if (placed.length > 0) await writeFile(join(folder, "tablespace_map"), formatTablespaceMap(placed));
    await disarm(folder, detail, `run ${target.run}`);
    for (const path of [folder, ...placed.map((one) => one.path)]) {
      await chmod(path, 0o700);
      await giveTree(path, owner, signal);
    }
    await writeInstanceFiles(folder, port, owner);
    const recovery = await prepareRecovery(context, { stable, folder, owner }, detail, replay ?? null, knownLines);
    await recover(context, folder, recovery);
    await recordDisarmed(context, { stable, folder }, detail, `run ${target.run}`);
    // A server that is renamed under its feet would look for its configuration at its old name.
    await stopPostmaster(context, folder);
    for (const path of [folder, ...placed.map((one) => one.path)]) await syncFileSystem(path, signal);
    if (replay !== undefined) {
      const { timeline } = await readControlData(context, folder);
      await requireReplayed(folder, timeline, replay, detail.walSegmentBytes);
    }
    await removeRecoveryFiles(folder);
  };
  return translateSystemErrors("target.failed", `${target.name} cannot be restored`, async () => {
    const report = await restoreInstance({
      target,
      source,
      captured: { ...captured, path: placeInVault(captured.path, null) },
      label: basename(stable),
      signal,
      progress,
      clock: context.clock,
      finish,
    });
    await startInstance(context, target.name);
    if (detail.startOptions !== null) await clusterStart.remember(stable, detail.startOptions, { replace: false });
    const { timeline } = await readControlData(context, target.name);
    return {
      sizeBytes: captured.facts.sizeBytes,
      summary: `${countOf(detail.databases.length, "database")} as of ${replay?.to ?? detail.endLsn} into ${basename(target.name)} in ${dirname(target.name)}, on port ${port}, timeline ${timeline}`,
      warnings: [...report.warnings, ...(await findProgramDifferences(context, target.name))],
    };
  });
};

const collect = async (source: SnapshotReader, path: string): Promise<Buffer> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of source.stream(path)) pieces.push(piece);
  return Buffer.concat(pieces);
};
