/** A folder while it is captured, and how its tree is put together from what the workers sent. */
import { RefloatError } from "../../../model/refloat-error.ts";
import type { FolderPart, FoundFile, FoundFolder } from "./folder-task.ts";

/** A folder whose entries are not all known yet. */
export type OpenFolder = {
  readonly path: Uint8Array;
  readonly relative: Uint8Array;
  readonly parentTree: string | null;
  /** Where its id belongs; null for the root. */
  readonly within: { readonly folder: OpenFolder; readonly found: FoundFolder } | null;
  /** In the order of the names; undefined while it is being read. */
  readonly parts: (FolderPart | undefined)[];
  /** Ids of subtrees; null for one that vanished. */
  readonly subtrees: Map<FoundFolder, string | null>;
  /** Nodes of large files; null for one that vanished. */
  readonly files: Map<FoundFile, Uint8Array | null>;
  /** Parts, subfolders and large files that are not done. */
  missing: number;
};

const comma = 0x2c;

/** Pieces of a list of nodes, joined by commas whatever commas they begin or end with. */
class NodeList {
  readonly #pieces: Uint8Array[] = [Buffer.from('{"nodes":[')];

  add(nodes: Uint8Array): void {
    const from = nodes[0] === comma ? 1 : 0;
    const to = nodes.at(-1) === comma ? nodes.length - 1 : nodes.length;
    if (from >= to) return;
    if (this.#pieces.length > 1) this.#pieces.push(Buffer.of(comma));
    this.#pieces.push(nodes.subarray(from, to));
  }

  tree(): Buffer {
    return Buffer.concat([...this.#pieces, Buffer.from("]}\n")]);
  }
}

const known = <Value>(value: Value | undefined, what: string): Value => {
  if (value === undefined) throw new RefloatError("bug", `a folder was put together without ${what}`);
  return value;
};

/** The folder's tree blob: its parts in order, with the ids of the subtrees and the large files put in; what vanished is left out. */
export const assembleTree = (folder: OpenFolder): Buffer => {
  const list = new NodeList();
  for (const entry of folder.parts) {
    const part = known(entry, "one of its parts");
    const nodes = Buffer.from(part.nodes.buffer, part.nodes.byteOffset, part.nodes.length);
    const changes = part.files.map((found) => ({
      at: found.at,
      next: found.at,
      insert: known(folder.files.get(found), "a large file"),
    }));
    for (const found of part.folders) {
      const tree = known(folder.subtrees.get(found), "one of its subfolders");
      if (tree === null) changes.push({ at: found.start, next: found.end, insert: null });
      else nodes.write(tree, found.hole, "latin1");
    }
    let from = 0;
    // Stable: files that belong at one place come in the order of their names.
    for (const { at, next, insert } of changes.sort((a, b) => a.at - b.at)) {
      list.add(nodes.subarray(from, at));
      if (insert !== null) list.add(insert);
      from = next;
    }
    list.add(nodes.subarray(from));
  }
  return list.tree();
};
