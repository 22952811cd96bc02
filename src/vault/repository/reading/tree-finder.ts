/** Finds entries of a snapshot by path. */
import type { BlobSource } from "../blobs/blob-reader.ts";
import { readableText } from "../format/go-text.ts";
import { decodeTree } from "../format/tree-decoder.ts";
import { type TreeNode, compareNames } from "../format/tree-node.ts";

/**
 * @param name as bytes; one with U+FFFD also finds the first entry that is shown like that, so that listed paths can be asked for
 * @returns the entry of that name in the tree
 */
export const findInTree = async (blobs: BlobSource, tree: string, name: Uint8Array): Promise<TreeNode | undefined> => {
  const shown = readableText(name);
  let alike: TreeNode | undefined;
  for (const node of decodeTree(await blobs.read(tree, "tree"), tree)) {
    if (compareNames(node.name, name) === 0) return node;
    if (shown.includes("\ufffd") && readableText(node.name) === shown) alike ??= node;
  }
  return alike;
};

/** @returns the id of the folder's tree; undefined if there is no such folder */
export const findFolder = async (
  blobs: BlobSource,
  root: string,
  names: readonly Uint8Array[],
): Promise<string | undefined> => {
  let tree: string | undefined = root;
  for (const name of names) {
    if (tree === undefined) return undefined;
    const node: TreeNode | undefined = await findInTree(blobs, tree, name);
    tree = node?.type === "dir" ? node.subtree : undefined;
  }
  return tree;
};

/** The root of a snapshot has no node of its own; it is shown as a folder that only its owner may enter. */
export const rootNode = (tree: string): TreeNode => ({
  name: Buffer.from("/"),
  type: "dir",
  goMode: 2 ** 31 + 0o700,
  modifiedNs: 0n,
  accessedNs: 0n,
  changedNs: 0n,
  uid: 0,
  gid: 0,
  user: "",
  group: "",
  inode: 0n,
  deviceId: 0n,
  sizeBytes: 0,
  links: 0,
  device: 0n,
  content: null,
  subtree: tree,
  unsupported: [],
});
