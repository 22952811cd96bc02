/** Two versions of a tree, difference by difference, in byte order of names. What has the same tree id is equal and not looked into. */
import type { FolderEntry, TreeReader } from "../ports/vault.ts";
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

export type TreeSide = { readonly tree: TreeReader; readonly entry: FolderEntry };

export type CompareTally = { foldersRead: number; foldersEqual: number };

const sameBytes = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === null || b === null ? a === b : Buffer.compare(a, b) === 0;

const detailsOf = (a: FolderEntry, b: FolderEntry): readonly string[] => {
  const sameDevice = a.device?.major === b.device?.major && a.device?.minor === b.device?.minor;
  return [
    ...(a.type === b.type && sameDevice ? [] : ["type"]),
    ...(a.contentId === b.contentId ? [] : ["content"]),
    ...(sameBytes(a.linkTarget, b.linkTarget) ? [] : ["target"]),
    ...(a.mode === b.mode ? [] : ["mode"]),
    ...(a.uid === b.uid && a.gid === b.gid ? [] : ["owner"]),
    // A folder's time changes with every name in it, which is told anyway.
    ...(a.modifiedNs === b.modifiedNs || a.treeId !== null ? [] : ["time"]),
  ];
};

const compareEntries = (path: Uint8Array, before: FolderEntry, after: FolderEntry): Difference | null => {
  const details = detailsOf(before, after);
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
      const difference = compareEntries(path, a.entry, b.entry);
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
        a === null || entryA === undefined ? null : { tree: a.tree, entry: entryA },
        b === null || entryB === undefined ? null : { tree: b.tree, entry: entryB },
      );
    }
  }

  yield* walk(new Uint8Array(), before, after);
}
