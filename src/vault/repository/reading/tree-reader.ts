/** Walks one snapshot by the ids of its trees. Every byte handed out was verified first. */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { FolderEntry, SnapshotPath, TreeReader } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { pathNames } from "../capture/snapshot-layout.ts";
import { extractTree } from "../extract/extraction.ts";
import { readableText } from "../format/go-text.ts";
import type { StoredSnapshot } from "../format/snapshot-file.ts";
import { decodeTree } from "../format/tree-decoder.ts";
import { type TreeNode, isSafeName } from "../format/tree-node.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { readContent } from "./content-reader.ts";
import { namingPath } from "./naming-path.ts";
import { NodeEntry } from "./node-entry.ts";
import { findFolder, findInTree, rootNode } from "./tree-finder.ts";

const slash = 0x2f;

/** @throws RefloatError path.hostile */
const namesOf = (path: SnapshotPath): readonly Uint8Array[] => {
  if (typeof path === "string") return pathNames(path).map((name) => Buffer.from(name));
  const names: Uint8Array[] = [];
  for (let from = 0; from < path.length;) {
    const next = path.indexOf(slash, from + 1);
    const end = next === -1 ? path.length : next;
    const name = path.subarray(from + 1, end);
    if (path[from] !== slash || (name.length > 0 && !isSafeName(name))) {
      throw new RefloatError("path.hostile", `"${readableText(path)}" is no absolute path without . and ..`);
    }
    if (name.length > 0) names.push(name);
    from = end;
  }
  return names;
};

function* entriesOf(blob: Buffer, treeId: string): Generator<FolderEntry> {
  for (const node of decodeTree(blob, treeId)) yield new NodeEntry(node);
}

const nodeOf = (entry: FolderEntry): TreeNode => {
  if (entry instanceof NodeEntry) return entry.node;
  throw new RefloatError("bug", "an entry was given to another vault than it came from");
};

export const openTreeReader = (context: RepositoryContext, info: StoredSnapshot): TreeReader => {
  const { tree } = info;
  const { blobs, lock } = context;

  async function* content(
    entry: FolderEntry,
    range?: { readonly offset: number; readonly length: number },
  ): ByteStream {
    const node = nodeOf(entry);
    const held = lock.holdForReading();
    try {
      yield* readContent(node.content ?? [], range, context);
    } catch (error) {
      throw namingPath(error, readableText(node.name), info.id);
    } finally {
      held.release();
    }
  }

  return {
    info,
    entry: async (path) => {
      const names = namesOf(path);
      const last = names.at(-1);
      if (last === undefined) return new NodeEntry(rootNode(tree));
      const folder = await findFolder(blobs, tree, names.slice(0, -1));
      const node = folder === undefined ? undefined : await findInTree(blobs, folder, last);
      return node === undefined ? undefined : new NodeEntry(node);
    },
    folder: async (treeId) => entriesOf(await blobs.read(treeId, "tree"), treeId),
    content,
    extract: async (entry, target, signal, progress) => {
      const held = lock.holdForReading();
      try {
        return await extractTree(context, nodeOf(entry), target, signal, progress);
      } finally {
        held.release();
      }
    },
  };
};
