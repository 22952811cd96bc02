/**
 * What lies on this machine, in the shape of a captured folder, to be held against one. Contents are compared piece by piece by the ids of the
 * vault, so that nothing of it has to be fetched. Writes nothing.
 */
import { hash } from "node:crypto";
import { type BigIntStats, constants, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FolderEntry, LiveTree, TreeRules } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobTable } from "../blobs/blob-table.ts";
import { hasCode, unreadable } from "../capture/entry-capture.ts";
import { type ExcludeRules, compileExcludes } from "../capture/exclude-rules.ts";
import { nodeOfStats } from "../capture/node-of-stats.ts";
import { type OwnerNames, readOwnerNames } from "../capture/owner-names.ts";
import { compareNames } from "../format/tree-node.ts";
import { plainLength } from "./content-reader.ts";
import { NodeEntry } from "./node-entry.ts";

/** Before the path of a folder: no id of a captured tree looks like it. */
const idPrefix = "live ";
const slash = Buffer.from("/");

/** A fifo that took the file's place would block for ever. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

class LiveEntry extends NodeEntry {
  override get contentId(): null {
    return null;
  }
}

type Place = { readonly root: string; readonly owners: OwnerNames; readonly excludes: ExcludeRules | undefined };

const pathOf = ({ root }: Place, relative: Uint8Array): Buffer =>
  relative.length === 0 ? Buffer.from(root) : Buffer.concat([Buffer.from(root === "/" ? "" : root), slash, relative]);

const childOf = (relative: Uint8Array, name: Uint8Array): Buffer =>
  relative.length === 0 ? Buffer.from(name) : Buffer.concat([relative, slash, name]);

/** Ids are text and names are bytes. */
const idOf = (relative: Uint8Array): string => idPrefix + Buffer.from(relative).toString("latin1");
const relativeOf = (id: string): Buffer => Buffer.from(id.slice(idPrefix.length), "latin1");

const look = (path: Buffer): BigIntStats | undefined => {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw unreadable(path, error);
  }
};

/** @returns undefined if it vanished */
const entryOf = (place: Place, relative: Uint8Array, name: Uint8Array, stats: BigIntStats): FolderEntry | undefined => {
  const base = { content: null, ...(stats.isDirectory() ? { subtree: idOf(relative) } : {}) };
  if (!stats.isSymbolicLink()) return new LiveEntry(nodeOfStats(name, stats, place.owners, base));
  const path = pathOf(place, relative);
  try {
    const linkTarget = readlinkSync(path, { encoding: "buffer" });
    return new LiveEntry(nodeOfStats(name, stats, place.owners, { ...base, linkTarget }));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EINVAL")) return undefined;
    throw unreadable(path, error);
  }
};

const namesIn = (path: Buffer): Buffer[] => {
  try {
    return readdirSync(path, { encoding: "buffer" }).sort(compareNames);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw unreadable(path, error);
  }
};

function* entriesIn(place: Place, relative: Buffer): Generator<FolderEntry> {
  for (const name of namesIn(pathOf(place, relative))) {
    const child = childOf(relative, name);
    const stats = look(pathOf(place, child));
    if (stats === undefined || place.excludes?.excludes(child, stats.isDirectory()) === true) continue;
    const entry = entryOf(place, child, name, stats);
    if (entry !== undefined) yield entry;
  }
}

export const openLiveTree = async (table: BlobTable, localPath: string, rules: TreeRules): Promise<LiveTree> => {
  const place = { root: localPath, owners: readOwnerNames(), excludes: compileExcludes(rules.exclude) };
  const none = new Uint8Array();
  const stats = look(pathOf(place, none));
  return {
    root: stats === undefined ? undefined : entryOf(place, none, none, stats),
    folder: async (treeId) => {
      // Everything below is read by calls that block: signals and the picture on the screen get their turn here.
      await nextTurn();
      const relative = relativeOf(treeId);
      const device = rules.oneFileSystem ? look(pathOf(place, relative))?.dev : stats?.dev;
      return device === stats?.dev ? entriesIn(place, relative) : [];
    },
    holds: async (path, captured, signal) => holdsContent(pathOf(place, path), captured, table, signal),
  };
};

const holdsContent = async (
  path: Buffer,
  captured: FolderEntry,
  table: BlobTable,
  signal: AbortSignal,
): Promise<boolean> => {
  let file: FileHandle | undefined;
  try {
    file = await open(path, openFlags);
    const { size } = await file.stat();
    return size === captured.sizeBytes && (await holdsPieces(file, captured.pieces, table, signal));
  } catch (error) {
    signal.throwIfAborted();
    // ELOOP: a symlink took its place.
    if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP")) return false;
    throw unreadable(path, error);
  } finally {
    await file?.close();
  }
};

const holdsPieces = async (
  file: FileHandle,
  pieces: readonly string[],
  table: BlobTable,
  signal: AbortSignal,
): Promise<boolean> => {
  let at = 0;
  for (const id of pieces) {
    signal.throwIfAborted();
    const length = plainLength(table, id);
    if (length === undefined) throw new RefloatError("vault.damaged", `no index of the vault knows blob ${id}`);
    const piece = Buffer.allocUnsafe(length);
    for (let got = 0; got < length;) {
      const { bytesRead } = await file.read(piece, got, length - got, at + got);
      if (bytesRead === 0) return false;
      got += bytesRead;
    }
    if (hash("sha256", piece, "hex") !== id) return false;
    at += length;
  }
  return true;
};
