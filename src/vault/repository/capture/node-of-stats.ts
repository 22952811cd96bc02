/** From what lstat says to a node of a tree. */
import type { BigIntStats } from "node:fs";
import { nodeTypeOf, toGoMode } from "../format/go-file-mode.ts";
import type { TreeNode } from "../format/tree-node.ts";
import type { OwnerNames } from "./owner-names.ts";

export type NodeBody = Pick<TreeNode, "content"> & Partial<Pick<TreeNode, "subtree" | "linkTarget" | "sizeBytes">>;

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
    links: Number(stats.nlink),
    device: type === "dev" || type === "chardev" ? stats.rdev : 0n,
    unsupported: [],
    ...body,
  };
};
