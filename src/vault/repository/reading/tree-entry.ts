/** What the rest of Refloat sees of a node. */
import type { TreeEntry } from "../../../core/ports/vault-snapshots.ts";
import { toPermissions } from "../format/go-file-mode.ts";
import { readableText } from "../format/go-text.ts";
import { formatGoTime } from "../format/go-time.ts";
import type { TreeNode } from "../format/tree-node.ts";

const slash = Buffer.from("/");

/** @param folder raw absolute path of the folder it stands in; empty for the root */
export const childPath = (folder: Uint8Array, name: Uint8Array): Buffer => Buffer.concat([folder, slash, name]);

export const entryOf = (node: TreeNode, rawPath: Uint8Array): TreeEntry => ({
  path: readableText(rawPath),
  rawPath,
  type: node.type,
  mode: toPermissions(node.goMode),
  uid: node.uid,
  gid: node.gid,
  sizeBytes: node.sizeBytes,
  modifiedAt: formatGoTime(node.modifiedNs),
  ...(node.linkTarget === undefined ? {} : { linkTarget: readableText(node.linkTarget) }),
});
