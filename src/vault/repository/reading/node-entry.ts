/** What the rest of Refloat sees of a node while it walks; parts that cost something are made when they are asked for. */
import { hash } from "node:crypto";
import type { FolderEntry } from "../../../core/ports/vault-snapshots.ts";
import { linkIdOf } from "../format/link-id.ts";
import { toPermissions } from "../format/go-file-mode.ts";
import { majorOf, minorOf } from "../format/device-numbers.ts";
import type { TreeNode } from "../format/tree-node.ts";

const emptyContent = hash("sha256", "", "hex");

export class NodeEntry implements FolderEntry {
  readonly node: TreeNode;

  constructor(node: TreeNode) {
    this.node = node;
  }

  get name(): Uint8Array {
    return this.node.name;
  }

  get type(): FolderEntry["type"] {
    return this.node.type;
  }

  get mode(): number {
    return toPermissions(this.node.goMode);
  }

  get uid(): number {
    return this.node.uid;
  }

  get gid(): number {
    return this.node.gid;
  }

  get user(): string {
    return this.node.user;
  }

  get group(): string {
    return this.node.group;
  }

  get sizeBytes(): number {
    return this.node.sizeBytes;
  }

  get modifiedNs(): bigint {
    return this.node.modifiedNs;
  }

  get linkTarget(): Uint8Array | null {
    return this.node.linkTarget ?? null;
  }

  get treeId(): string | null {
    return this.node.type === "dir" ? (this.node.subtree ?? null) : null;
  }

  get contentId(): string | null {
    if (this.node.type !== "file") return null;
    const { pieces } = this;
    const [only, second] = pieces;
    if (only === undefined) return emptyContent;
    return second === undefined ? only : `list-${hash("sha256", pieces.join(""), "hex")}`;
  }

  get pieces(): readonly string[] {
    return this.node.content ?? [];
  }

  get linkId(): string | null {
    return this.node.type === "file" ? (linkIdOf(this.node) ?? null) : null;
  }

  get device(): FolderEntry["device"] {
    const { type, device } = this.node;
    return type === "dev" || type === "chardev"
      ? { major: Number(majorOf(device)), minor: Number(minorOf(device)) }
      : null;
  }
}
