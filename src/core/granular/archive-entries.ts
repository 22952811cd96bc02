/** A captured tree as the entries of an archive: folders before what is in them, each file's content once, its other names as links. */
import type { ArchiveEntry } from "../ports/new-places.ts";
import type { FolderEntry, TreeReader } from "../ports/vault-snapshots.ts";
import { joinPath } from "./open-place.ts";

export type ArchiveTally = { files: number; directories: number; sizeBytes: number; leftOut: number };

/** @param name of the root in the archive @param tally counts while it goes on */
export async function* archiveEntries(
  tree: TreeReader,
  root: FolderEntry,
  name: Uint8Array,
  tally: ArchiveTally,
  signal: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const firstNames = new Map<string, Uint8Array>();

  const one = (entry: FolderEntry, path: Uint8Array): ArchiveEntry => {
    if (entry.type === "dir") tally.directories += 1;
    // A socket means nothing without the program that listens; what is irregular has no form in an archive.
    if (entry.type === "socket" || entry.type === "irregular") tally.leftOut += 1;
    if (entry.type !== "file") return { name: path, entry, content: null, linkTo: null };
    tally.files += 1;
    tally.sizeBytes += entry.sizeBytes;
    const first = entry.linkId === null ? undefined : firstNames.get(entry.linkId);
    if (first !== undefined) return { name: path, entry, content: null, linkTo: first };
    if (entry.linkId !== null) firstNames.set(entry.linkId, path);
    return { name: path, entry, content: tree.content(entry), linkTo: null };
  };

  async function* below(folder: FolderEntry, path: Uint8Array): AsyncGenerator<ArchiveEntry> {
    for (const entry of await tree.folder(folder.treeId ?? "")) {
      signal.throwIfAborted();
      const inside = joinPath(path, entry.name);
      yield one(entry, inside);
      if (entry.treeId !== null) yield* below(entry, inside);
    }
  }

  yield one(root, name);
  if (root.treeId !== null) yield* below(root, name);
}
