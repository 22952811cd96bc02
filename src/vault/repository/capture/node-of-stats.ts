/** From what lstat says to a node of a tree. */
import type { BigIntStats } from "node:fs";
import { type NodeType, nodeTypeOf, toGoMode } from "../format/go-file-mode.ts";
import type { TreeNode } from "../format/tree-node.ts";
import type { OwnerNames } from "./owner-names.ts";

export type NodeBody = Pick<TreeNode, "content"> & Partial<Pick<TreeNode, "subtree" | "linkTarget" | "sizeBytes">>;

const linkable: ReadonlySet<NodeType> = new Set<NodeType>(["file", "symlink", "dev", "chardev"]);

export const nodeOfStats = (name: Uint8Array, stats: BigIntStats, owners: OwnerNames, body: NodeBody): TreeNode => {
  const unixMode = Number(stats.mode);
  const type = nodeTypeOf(unixMode);
  const uid = Number(stats.uid);
  const gid = Number(stats.gid);
  return {
    name,
    type,
    goMode: toGoMode(unixMode),
    modifiedNs: stats.mtimeNs,
    // As restic without --with-atime: else every read of a file would change its folder's tree.
    accessedNs: stats.mtimeNs,
    changedNs: stats.ctimeNs,
    uid,
    gid,
    user: owners.user(uid),
    group: owners.group(gid),
    inode: stats.ino,
    deviceId: stats.dev,
    sizeBytes: type === "file" ? Number(stats.size) : 0,
    // As restic: it counts the names of what can have several in practice.
    links: linkable.has(type) ? Number(stats.nlink) : 0,
    device: type === "dev" || type === "chardev" ? stats.rdev : 0n,
    unsupported: [],
    ...body,
  };
};
