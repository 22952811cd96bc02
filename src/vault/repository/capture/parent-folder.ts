/**
 * A folder as it was in the parent snapshot, for telling unchanged files. Names are asked in ascending order, so the tree is read along
 * and never held as objects.
 */
import type { BigIntStats } from "node:fs";
import { decodeTree } from "../format/tree-decoder.ts";
import { type TreeNode, compareNames } from "../format/tree-node.ts";

export class ParentFolder {
  readonly id: string;
  readonly #blob: Buffer;
  #nodes: Generator<TreeNode>;
  #current: TreeNode | undefined;

  constructor(blob: Buffer, id: string) {
    this.id = id;
    this.#blob = blob;
    this.#nodes = decodeTree(blob, id);
    this.#advance();
  }

  find(name: Uint8Array): TreeNode | undefined {
    while (this.#current !== undefined && compareNames(this.#current.name, name) < 0) this.#advance();
    return this.#current !== undefined && compareNames(this.#current.name, name) === 0 ? this.#current : undefined;
  }

  /** Back to the first name. */
  rewind(): void {
    this.#nodes = decodeTree(this.#blob, this.id);
    this.#advance();
  }

  #advance(): void {
    const next = this.#nodes.next();
    this.#current = next.done === true ? undefined : next.value;
  }
}

/** Size, both times and the inode: a program that writes a file and sets its mtime back still changes the ctime. */
export const isUnchanged = (before: TreeNode, now: BigIntStats): boolean =>
  before.type === "file" &&
  before.content !== null &&
  BigInt(before.sizeBytes) === now.size &&
  before.modifiedNs === now.mtimeNs &&
  before.changedNs === now.ctimeNs &&
  before.inode === now.ino;
