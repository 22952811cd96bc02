/**
 * Walks the same component of many points at once, so that what is equal in several of them is read once: folders with the same tree id
 * are one folder. Memory holds one folder's list for each level and each different version of it.
 */
import type { PointId } from "../../model/identifiers.ts";
import type { FolderEntry, TreeReader } from "../ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { mergeFolders } from "./merge-folders.ts";
import { joinPath } from "./open-place.ts";

/** One state of a file, with the points that hold it. */
export type FileVersion = {
  /** As the newest of the points has it. */
  readonly entry: FolderEntry;
  readonly tree: TreeReader;
  /** Newest first. */
  readonly points: readonly PointId[];
};

export type FoundVersions = { readonly path: Uint8Array; readonly versions: readonly FileVersion[] };

/** A folder, or the single file that a component is, as one or more points hold it. */
export type VersionRoot = {
  readonly tree: TreeReader;
  readonly entry: FolderEntry;
  readonly points: readonly PointId[];
};

export type WalkTally = {
  folders: number;
  /** Folders that further points hold as they are, and that were not read again for them. */
  skipped: number;
  files: number;
  readonly unreadable: { readonly path: Uint8Array; readonly points: readonly PointId[]; readonly reason: string }[];
};

/** Of what is no folder: what it leads to is the content of a link, and a device is what its numbers say. */
const versionKey = ({ type, contentId, linkTarget, device }: FolderEntry): string =>
  contentId ??
  `${type} ${linkTarget === null ? "" : Buffer.from(linkTarget).toString("base64")} ${device === null ? "" : `${device.major}:${device.minor}`}`;

const group = (roots: readonly VersionRoot[], keyOf: (entry: FolderEntry) => string): readonly VersionRoot[] => {
  const groups = new Map<string, { root: VersionRoot; points: PointId[] }>();
  for (const root of roots) {
    const key = keyOf(root.entry);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { root, points: [...root.points] });
    else known.points.push(...root.points);
  }
  return [...groups.values()].map(({ root, points }) => ({ ...root, points }));
};

/**
 * @param roots of one component, newest point first
 * @param wanted is asked for each version of each entry that is no folder
 */
export async function* findVersions(
  roots: readonly VersionRoot[],
  wanted: (path: Uint8Array, entry: FolderEntry) => boolean,
  tally: WalkTally,
  signal: AbortSignal,
): AsyncGenerator<FoundVersions> {
  const versionsOf = (path: Uint8Array, files: readonly VersionRoot[]): FoundVersions | null => {
    if (files.length === 0) return null;
    tally.files += 1;
    const versions = group(files, versionKey).filter(({ entry }) => wanted(path, entry));
    return versions.length === 0 ? null : { path, versions };
  };

  async function* walk(path: Uint8Array, all: readonly VersionRoot[]): AsyncGenerator<FoundVersions> {
    signal.throwIfAborted();
    const here = versionsOf(
      path,
      all.filter(({ entry }) => entry.treeId === null),
    );
    if (here !== null) yield here;
    const folders = group(
      all.filter(({ entry }) => entry.treeId !== null),
      ({ treeId }) => treeId ?? "",
    );
    tally.skipped += all
      .filter(({ entry }) => entry.treeId !== null)
      .reduce((sum, { points }) => sum + points.length, 0);
    const readable: { readonly folder: VersionRoot; readonly entries: Iterable<FolderEntry> }[] = [];
    for (const folder of folders) {
      tally.folders += 1;
      tally.skipped -= 1;
      const entries = await readFolder(folder, path, tally);
      if (entries !== null) readable.push({ folder, entries });
    }
    for (const { name, entries } of mergeFolders(readable.map(({ entries }) => entries))) {
      const next = entries.flatMap((entry, at) => {
        const folder = readable[at]?.folder;
        return entry === undefined || folder === undefined ? [] : [{ ...folder, entry }];
      });
      const inside = joinPath(path, name);
      if (next.some(({ entry }) => entry.treeId !== null)) yield* walk(inside, next);
      else {
        const found = versionsOf(inside, next);
        if (found !== null) yield found;
      }
    }
  }

  yield* walk(new Uint8Array(), roots);
}

/** One folder that cannot be read must not hide what the others hold. */
const readFolder = async (
  { tree, entry, points }: VersionRoot,
  path: Uint8Array,
  tally: WalkTally,
): Promise<Iterable<FolderEntry> | null> => {
  try {
    return await tree.folder(entry.treeId ?? "");
  } catch (error) {
    if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
    tally.unreadable.push({ path, points, reason: error.message });
    return null;
  }
};
