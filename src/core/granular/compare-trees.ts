/** Two versions of a tree, difference by difference, in byte order of names. What has the same tree id is equal and not looked into. */
import type { FolderEntry, TreeReader } from "../ports/vault-snapshots.ts";
import { mergeFolders } from "./merge-folders.ts";
import { joinPath } from "./open-place.ts";

export type Difference = {
  readonly kind: "added" | "removed" | "changed" | "metadata";
  readonly path: Uint8Array;
  readonly before: FolderEntry | null;
  readonly after: FolderEntry | null;
  /** What differs: `content`, `type`, `target`, `mode`, `owner`, `time`. */
  readonly details: readonly string[];
};

/** What is known to be equal of two entries that do not say it of themselves. */
export type Likeness = { readonly content: boolean; readonly time: boolean };

export type TreeSide = {
  readonly tree: Pick<TreeReader, "folder">;
  readonly entry: FolderEntry;
  /** Of the later side, where it has no content ids: asked for each entry that both sides have. */
  readonly likeness?: (path: Uint8Array, before: FolderEntry, after: FolderEntry) => Promise<Likeness>;
};

export type CompareTally = { foldersRead: number; foldersEqual: number };

const sameBytes = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === null || b === null ? a === b : Buffer.compare(a, b) === 0;

const detailsOf = (a: FolderEntry, b: FolderEntry, like: Likeness): readonly string[] => {
  const sameDevice = a.device?.major === b.device?.major && a.device?.minor === b.device?.minor;
  return [
    ...(a.type === b.type && sameDevice ? [] : ["type"]),
    ...(like.content ? [] : ["content"]),
    ...(sameBytes(a.linkTarget, b.linkTarget) ? [] : ["target"]),
    ...(a.mode === b.mode ? [] : ["mode"]),
    ...(a.uid === b.uid && a.gid === b.gid ? [] : ["owner"]),
    // A folder's time changes with every name in it, which is told anyway.
    ...(like.time || a.treeId !== null ? [] : ["time"]),
  ];
};

const ownLikeness = (a: FolderEntry, b: FolderEntry): Likeness => ({
  content: a.contentId === b.contentId,
  time: a.modifiedNs === b.modifiedNs,
});

const compareEntries = (
  path: Uint8Array,
  before: FolderEntry,
  after: FolderEntry,
  like: Likeness,
): Difference | null => {
  const details = detailsOf(before, after, like);
  if (details.length === 0) return null;
  const changed = details.some((detail) => ["type", "content", "target"].includes(detail));
  return { kind: changed ? "changed" : "metadata", path, before, after, details };
};

export async function* compareTrees(
  before: TreeSide | null,
  after: TreeSide | null,
  tally: CompareTally,
  signal: AbortSignal,
): AsyncGenerator<Difference> {
  const read = async (side: TreeSide | null): Promise<Iterable<FolderEntry>> => {
    if (side === null || side.entry.treeId === null) return [];
    tally.foldersRead += 1;
    return side.tree.folder(side.entry.treeId);
  };

  async function* walk(path: Uint8Array, a: TreeSide | null, b: TreeSide | null): AsyncGenerator<Difference> {
    signal.throwIfAborted();
    if (a !== null && b !== null) {
      const like = (await b.likeness?.(path, a.entry, b.entry)) ?? ownLikeness(a.entry, b.entry);
      const difference = compareEntries(path, a.entry, b.entry, like);
      if (difference !== null) yield difference;
    } else if (b !== null) yield { kind: "added", path, before: null, after: b.entry, details: [] };
    else if (a !== null) yield { kind: "removed", path, before: a.entry, after: null, details: [] };
    const [treeA, treeB] = [a?.entry.treeId ?? null, b?.entry.treeId ?? null];
    if (treeA === null && treeB === null) return;
    if (treeA === treeB) {
      tally.foldersEqual += 1;
      return;
    }
    for (const { name, entries } of mergeFolders([await read(a), await read(b)])) {
      const [entryA, entryB] = entries;
      yield* walk(
        joinPath(path, name),
        a === null || entryA === undefined ? null : { ...a, entry: entryA },
        b === null || entryB === undefined ? null : { ...b, entry: entryB },
      );
    }
  }

  yield* walk(new Uint8Array(), before, after);
}
