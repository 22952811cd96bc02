/**
 * Names inside an open folder. Paths begin at its descriptor (`/proc/self/fd/N/name`), so a symlink that someone puts in the place of
 * a folder above, while a restore goes on, leads nowhere. Every last component is opened without following links.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
} from "node:fs";
import { RefloatError } from "../../../model/refloat-error.ts";
import { toPermissions } from "../format/go-file-mode.ts";
import { readableText } from "../format/go-text.ts";
import type { TreeNode } from "../format/tree-node.ts";

export const pathWithin = (folder: number, name: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), name]);

/** A time before 1970 as text: a number below zero Node takes for "now". */
const seconds = (ns: bigint): number | string => {
  const value = Number(ns / 1_000_000_000n) + Number(ns % 1_000_000_000n) / 1e9;
  return value < 0 ? String(value) : value;
};

/** @param shown the folder's path for people */
export const targetFailure = (shown: string, name: Uint8Array, act: string, cause: unknown): RefloatError => {
  if (cause instanceof RefloatError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const path = `${shown}/${readableText(name)}`;
  if (code === "EEXIST" || code === "ELOOP" || code === "ENOTDIR") {
    return new RefloatError("path.hostile", `${path} was there before it was restored, or was replaced meanwhile`, {
      cause,
      context: { path, code },
      state: "nothing was written outside the target",
    });
  }
  return new RefloatError("target.failed", `${path} could not be ${act}: ${code}`, {
    cause,
    context: { path, code },
    state: "what was restored so far is still there",
    ...(code === "ENOSPC" || code === "EDQUOT" ? { hint: "make room on its file system" } : {}),
  });
};

export const openFolder = (folder: number, name: Uint8Array): number =>
  openSync(pathWithin(folder, name), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);

/** Only for us until it is complete: nobody else can put links into it meanwhile. */
export const makeFolder = (folder: number, name: Uint8Array): void => mkdirSync(pathWithin(folder, name), 0o700);

export const createFile = (folder: number, name: Uint8Array): number =>
  openSync(
    pathWithin(folder, name),
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );

type Metadata = Pick<TreeNode, "uid" | "gid" | "goMode" | "modifiedNs" | "accessedNs">;

const mayFail = (act: () => void): boolean => {
  try {
    act();
    return true;
  } catch (error) {
    // EINVAL: an id that this name space does not map.
    if (["EPERM", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
};

/** Owner first, since changing it clears set-uid; times last. @returns false if the owner could not be set */
export const applyMetadata = (fd: number, node: Metadata): boolean => {
  const owned = mayFail(() => fchownSync(fd, node.uid, node.gid));
  const permissions = toPermissions(node.goMode);
  // Set-uid and set-gid under another owner would lend that owner's rights instead.
  fchmodSync(fd, owned ? permissions : permissions & 0o1777);
  futimesSync(fd, seconds(node.accessedNs), seconds(node.modifiedNs));
  return owned;
};

/** @returns false if the owner could not be set */
export const makeSymlink = (folder: number, node: TreeNode): boolean => {
  const path = pathWithin(folder, node.name);
  symlinkSync(Buffer.from(node.linkTarget ?? new Uint8Array()), path);
  const owned = mayFail(() => lchownSync(path, node.uid, node.gid));
  lutimesSync(path, seconds(node.accessedNs), seconds(node.modifiedNs));
  return owned;
};

/** For what a program has made: the last component is opened as a mere path, so that chmod meets exactly it. */
export const applyMetadataByPath = (folder: number, node: TreeNode): boolean => {
  const path = pathWithin(folder, node.name);
  const owned = mayFail(() => lchownSync(path, node.uid, node.gid));
  const openPath = 0o10000000;
  const fd = openSync(path, openPath | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, toPermissions(node.goMode));
  } finally {
    closeSync(fd);
  }
  lutimesSync(path, seconds(node.accessedNs), seconds(node.modifiedNs));
  return owned;
};
