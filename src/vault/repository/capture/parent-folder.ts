/**
 * A folder as it was in the parent snapshot, for telling unchanged files. Names are asked in ascending order, so the tree is read along
 * and never held as objects; and what did not change at all is not even read: its text is what would be written now.
 */
import { isAscii } from "node:buffer";
import type { BigIntStats } from "node:fs";
import { RefloatError } from "../../../model/refloat-error.ts";
import { TreeCursor } from "../format/tree-decoder.ts";
import { type TreeNode, compareNames } from "../format/tree-node.ts";

/** What may follow the head of a file's node: its blobs, and the end of the node. */
const contentAndEnd = /\[(?:"([0-9a-f]{64}(?:","[0-9a-f]{64})*)")?\]\}/y;

export type SameNode = {
  /** The whole node's JSON. */
  readonly text: string;
  readonly content: readonly string[];
};

/** It only saves time: of one that cannot be read everything is captured anew. */
export const isUnreadableParent = (error: unknown): boolean =>
  error instanceof RefloatError && (error.code === "vault.damaged" || error.code === "path.hostile");

/** What of it is malformed is thrown when it is reached. */
export class ParentFolder {
  readonly id: string;
  readonly #blob: Buffer;
  /** The blob, a character for each byte. */
  readonly #text: string;
  #cursor: TreeCursor;
  /** The next node, once it was decoded. */
  #current: TreeNode | undefined;

  constructor(blob: Buffer, id: string) {
    this.id = id;
    this.#blob = blob;
    this.#text = blob.toString("latin1");
    this.#cursor = new TreeCursor(blob, id);
  }

  /** @throws RefloatError vault.damaged, path.hostile */
  find(name: Uint8Array): TreeNode | undefined {
    this.#current ??= this.#cursor.next();
    while (this.#current !== undefined && compareNames(this.#current.name, name) < 0)
      this.#current = this.#cursor.next();
    return this.#current !== undefined && compareNames(this.#current.name, name) === 0 ? this.#current : undefined;
  }

  /**
   * @param head what would be written now of that name, up to the content
   * @returns its node if it begins so and has nothing but a list of blobs behind; then it counts as read
   * @throws RefloatError vault.damaged
   */
  takeSame(name: Uint8Array, head: string): SameNode | undefined {
    if (this.#current !== undefined && compareNames(this.#current.name, name) < 0) this.#current = undefined;
    const from = this.#cursor.position;
    if (this.#current !== undefined || from === undefined || !this.#text.startsWith(head, from)) return undefined;
    // The bytes of another name, read one by one, may look like this one.
    if (!isAscii(Buffer.from(head))) return undefined;
    contentAndEnd.lastIndex = from + head.length;
    const found = contentAndEnd.exec(this.#text);
    if (found === null) return undefined;
    const end = contentAndEnd.lastIndex;
    this.#cursor.seek(end);
    return { text: this.#text.slice(from, end), content: found[1]?.split('","') ?? [] };
  }

  /** Back to the first name. @throws RefloatError vault.damaged */
  rewind(): void {
    this.#cursor = new TreeCursor(this.#blob, this.id);
    this.#current = undefined;
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
