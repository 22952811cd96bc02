/**
 * Where things stand in the snapshot that is being made: captured files and trees at their absolute paths, with the folders above them,
 * as stock restic lays them out.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { compareNames, encodeTree } from "../format/tree-node.ts";

/** A folder above captured things. `describe` gives its node once its tree is known. */
export type LayoutFolder = {
  readonly kind: "folder";
  readonly entries: Map<string, LayoutEntry>;
  describe: (name: Uint8Array, tree: string) => string;
};
/** A captured file, or a captured tree that nothing can be added to: its node's JSON. */
export type LayoutLeaf = { readonly kind: "leaf"; readonly node: string; readonly tree: string | null };
export type LayoutEntry = LayoutFolder | LayoutLeaf;

/** @returns the names along an absolute path @throws RefloatError path.hostile */
export const pathNames = (path: string): readonly string[] => {
  const names = path
    .split("/")
    .slice(1)
    .filter((name, at, all) => name !== "" || at < all.length - 1);
  if (
    !path.startsWith("/") ||
    names.some((name) => name === "" || name === "." || name === ".." || name.includes("\0"))
  ) {
    throw new RefloatError("path.hostile", `"${path}" is no absolute path without . and ..`, { context: { path } });
  }
  return names;
};

export class SnapshotLayout {
  readonly #root: LayoutFolder = { kind: "folder", entries: new Map(), describe: () => "" };
  #whole: LayoutLeaf | undefined;

  /**
   * @param describe for each new folder above the entry, by its depth (0: just below the root)
   * @throws RefloatError bug if something stands there already
   */
  add(path: string, leaf: LayoutLeaf, describe: (depth: number) => LayoutFolder["describe"]): void {
    const names = pathNames(path);
    const last = names.at(-1);
    if (last === undefined) {
      if (this.#whole !== undefined || this.#root.entries.size > 0) throw taken(path);
      this.#whole = leaf;
      return;
    }
    if (this.#whole !== undefined) throw taken(path);
    let folder = this.#root;
    for (const [depth, name] of names.slice(0, -1).entries()) {
      const known = folder.entries.get(name);
      if (known?.kind === "leaf") throw taken(path);
      const next = known ?? { kind: "folder", entries: new Map(), describe: describe(depth) };
      folder.entries.set(name, next);
      folder = next;
    }
    if (folder.entries.has(last)) throw taken(path);
    folder.entries.set(last, leaf);
  }

  /** @param save stores a tree blob and returns its id @returns the id of the root tree */
  async saveTrees(save: (tree: Buffer) => Promise<string>): Promise<string> {
    return this.#whole?.tree ?? this.#saveFolder(this.#root, save);
  }

  async #saveFolder(folder: LayoutFolder, save: (tree: Buffer) => Promise<string>): Promise<string> {
    const named = [...folder.entries].map(([name, entry]) => ({ bytes: Buffer.from(name), entry }));
    const nodes: string[] = [];
    for (const { bytes, entry } of named.sort((a, b) => compareNames(a.bytes, b.bytes))) {
      nodes.push(entry.kind === "leaf" ? entry.node : entry.describe(bytes, await this.#saveFolder(entry, save)));
    }
    return save(encodeTree(nodes));
  }
}

const taken = (path: string): RefloatError =>
  new RefloatError("bug", `${path} was put into one snapshot twice`, { context: { path } });
