import { hash } from "node:crypto";
import type { TreeNode } from "./tree-node.ts";

/**
 * Two entries are names of one file if device, inode and content agree: an inode may have been used again since.
 * @returns undefined for a file of one name
 */
export const linkIdOf = ({ links, deviceId, inode, content }: TreeNode): string | undefined =>
  links > 1 && inode !== 0n ? `${deviceId}:${inode}:${hash("sha256", (content ?? []).join(""), "base64")}` : undefined;
