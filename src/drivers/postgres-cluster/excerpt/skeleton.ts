/** A data folder that a server takes for the captured one: chosen files in full, the others as holes of the same length, which take no room. */
import { chmod, mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { eachOf } from "../../../platform/each-of.ts";
import type { VaultProgress } from "../../../core/ports/vault-snapshots.ts";
import { compareRestored } from "../compare-restored.ts";
import type { BackupManifest } from "../backup-manifest.ts";
import { makeFolders } from "../owned-folders.ts";
import { formatTablespaceMap } from "../tablespaces.ts";
import { type Layout, dataFolder } from "../vault-places.ts";
import type { CapturedFile } from "./captured-files.ts";
import { type Choice, isChosen } from "./choose-files.ts";
import { writeInFull } from "../../../platform/folder-server/write-in-full.ts";

/** A cluster has a thousand small files, and a vault may be far away. */
const atOnce = 12;
const blockBytes = 4096;

/** What the chosen files take on a disk. */
export const chosenBytes = (files: readonly CapturedFile[], choice: Choice): number =>
  files
    .filter((file) => isChosen(choice, file))
    .reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / blockBytes) * blockBytes, 0);

export type SkeletonSource = {
  /** A backup is replayed to its end; what a server has left goes on from where that stood. */
  readonly isBackup: boolean;
  readonly files: readonly CapturedFile[];
  readonly layout: Layout;
  /** Null where it was not the server that has read the files. */
  readonly manifest: BackupManifest | null;
};

const writeHole = async (path: string, length: number): Promise<void> => {
  await writeFile(path, "", { flag: "wx", mode: 0o600 });
  await truncate(path, length);
};

/**
 * @param root a folder of our own; the data goes into `data`, tablespaces beside it
 * @returns the data folder
 * @throws RefloatError point.damaged, vault.damaged, ...; what was made stays for the caller to remove
 */
export const makeSkeleton = async (
  { isBackup, files, layout, manifest }: SkeletonSource,
  choice: Choice,
  root: string,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<string> => {
  const data = join(root, "data");
  const placed = layout.tablespaces.map(({ oid }) => ({ oid, path: join(root, "tablespaces", oid) }));
  const folderOf = new Map<string | null, string>([
    [null, data],
    ...placed.map(({ oid, path }) => [oid, path] as const),
  ]);
  for (const path of folderOf.values()) await mkdir(path, { recursive: true, mode: 0o700 });
  await makeFolders(data, layout.folders[dataFolder] ?? []);
  for (const { oid, path } of placed) await makeFolders(path, layout.folders[oid] ?? []);
  const write = async (file: CapturedFile): Promise<void> => {
    const path = join(folderOf.get(file.tablespace) ?? data, file.path);
    if (!isChosen(choice, file)) return writeHole(path, file.sizeBytes);
    await writeInFull(file.content(), path, signal);
    progress({ bytes: file.sizeBytes, items: 1 });
  };
  // Whoever removes the folder after a failure meets no file that is still being made.
  await eachOf(files, pLimit(atOnce), signal, write);
  if (manifest !== null) await compareRestored(data, placed, manifest);
  // A server makes the links by its map only where it recovers a backup.
  if (!isBackup) for (const { oid, path } of placed) await symlink(path, join(data, "pg_tblspc", oid));
  else if (placed.length > 0) await writeFile(join(data, "tablespace_map"), formatTablespaceMap(placed));
  // Settings of the original are of its own machine; what the server needs stands on its command line.
  await rm(join(data, "postgresql.auto.conf"), { force: true });
  await chmod(data, 0o700);
  return data;
};
