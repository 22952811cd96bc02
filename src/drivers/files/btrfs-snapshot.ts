/**
 * A read-only snapshot of the btrfs subvolume that a tree lies in: all of the tree as of one instant, read while it goes on being written. It lies inside of
 * the subvolume for as long as it is read. A process of its own removes it, also when the one that made it is killed; where both are, the next capture does.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, stat, statfs } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { mountPointsBelow } from "../../platform/mount-points.ts";
import { isRunning, readProcess } from "../../platform/process-table.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { FilesContext } from "./files-options.ts";

/** Of `statfs`. */
const btrfsMagic = 0x91_23_68_3e;
/** Inode of the root of every subvolume, and of the empty folder that stands in a snapshot where another subvolume was. */
const subvolumeInode = 256;
const lostSubvolumeInode = 2;

const prefix = ".refloat-snapshot-";

/** Names that must not come into what is captured: of this capture, and of others that are going on. */
export const snapshotPattern = `/${prefix}*`;

const refused = (message: string, hint: string): RefloatError =>
  new RefloatError("source.unsupported", message, { hint });

/** @returns the subvolume that a path lies in @throws RefloatError source.unsupported where it lies on no btrfs */
export const subvolumeOf = async (path: string): Promise<string> => {
  const { type } = await statfs(path);
  if (type !== btrfsMagic)
    throw refused(
      `${path} lies on no btrfs, so no snapshot of it can be taken`,
      "leave out snapshot: files are then read while they are written, or held still by quiesce:",
    );
  for (let folder = path; ; folder = dirname(folder)) {
    const { ino } = await stat(folder);
    if (ino === subvolumeInode) return folder;
    if (folder === "/")
      throw refused(`${path} lies in no subvolume that can be seen from here`, "mount the subvolume itself");
  }
};

/** What a snapshot does not have, although it stands below the path. */
const refuseOtherMounts = async (path: string): Promise<void> => {
  const [mounted] = await mountPointsBelow(path);
  if (mounted !== undefined)
    throw refused(
      `${mounted} is mounted below ${path}, and a snapshot does not have what is in it`,
      "declare it as a component of its own, and exclude it here by oneFileSystem: true",
    );
};

const refuseOtherSubvolumes = async (context: FilesContext, root: string): Promise<void> => {
  const { stdout } = await runProgram(
    "find",
    [
      root,
      "-xdev",
      "-type",
      "d",
      "-inum",
      String(lostSubvolumeInode),
      "-not",
      "-name",
      `${prefix}*`,
      "-print",
      "-quit",
    ],
    { signal: context.signal, marker: context.marker },
  );
  if (stdout === "") return;
  throw refused(
    `${relative(root, stdout.trimEnd())} below the path is a subvolume of its own, which the snapshot does not have`,
    "declare it as a component of its own, beside this one",
  );
};

const snapshotName = ({ service, component }: FilesContext): string => `${prefix}${service}-${component}-`;

/** Those of captures of this component that were killed together with what would have removed them. */
const removeLeft = async (context: FilesContext, subvolume: string): Promise<void> => {
  const own = snapshotName(context);
  for (const name of await readdir(subvolume)) {
    const pid = name.startsWith(own) ? Number(name.slice(own.length)) : Number.NaN;
    if (Number.isInteger(pid) && !isRunning(readProcess(pid))) await deleteSnapshot(context, join(subvolume, name));
  }
};

const deleteSnapshot = async ({ marker }: FilesContext, path: string): Promise<void> => {
  // Not by the capture's own signal: what was made is removed, whatever ended the capture.
  await runProgram("btrfs", ["subvolume", "delete", path], { signal: new AbortController().signal, marker });
};

/** Waits for the end of its standard input, which comes when we end in whatever way, and removes the snapshot. */
const startRemover = (path: string) => {
  const line = 'cat >/dev/null; test ! -e "$1" || exec btrfs subvolume delete -- "$1"';
  const child = spawn("/bin/sh", ["-c", line, "refloat-snapshot-remover", path], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...baseEnvironment(), REFLOAT_INSTANCE: "snapshot-remover" },
  });
  const exited = once(child, "exit");
  exited.catch(() => undefined);
  return {
    end: async (): Promise<void> => {
      child.stdin.end();
      await exited;
    },
  };
};

export type HeldSnapshot = {
  /** The tree as of then. */
  readonly root: string;
  readonly takenAt: string;
};

/**
 * Takes a snapshot, lets `act` read it, and removes it.
 * @param root the tree, without links
 * @throws RefloatError source.unsupported, source.failed, program.*
 */
export const withSnapshot = async <Result>(
  context: FilesContext,
  root: string,
  act: (snapshot: HeldSnapshot) => Promise<Result>,
): Promise<Result> => {
  const subvolume = await subvolumeOf(root);
  if (context.options.oneFileSystem !== true) await refuseOtherMounts(root);
  await removeLeft(context, subvolume);
  const path = join(subvolume, `${snapshotName(context)}${process.pid}`);
  const remover = startRemover(path);
  try {
    await take(context, subvolume, path);
    const takenAt = context.clock.now().toISOString();
    const inside = join(path, relative(subvolume, root));
    await refuseOtherSubvolumes(context, inside);
    return await act({ root: inside, takenAt });
  } finally {
    await remover.end();
    // It says nothing of its own failure.
    if (await pathExists(path)) await deleteSnapshot(context, path);
  }
};

const take = async ({ signal, marker }: FilesContext, subvolume: string, path: string): Promise<void> => {
  try {
    await runProgram("btrfs", ["subvolume", "snapshot", "-r", subvolume, path], { signal, marker });
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = toRefloatError(error);
    if (code !== "program.failed") throw error;
    throw new RefloatError("source.failed", `no snapshot of ${subvolume} could be taken: ${message}`, {
      cause: error,
      hint: "it needs the right to write there; to remove it, root or the mount option user_subvol_rm_allowed",
    });
  }
};
