/**
 * A large file that all worker threads restore together, each another stretch of it. The main thread makes it, holds it open, and gives
 * it its metadata in the end.
 */
import { closeSync, ftruncateSync } from "node:fs";
import type { BlobTable } from "../blobs/blob-table.ts";
import type { TreeNode } from "../format/tree-node.ts";
import { sealBytes } from "../seal/seal.ts";
import { applyMetadata, createFile } from "./target-folder.ts";

/** A stretch has at least this many bytes, except the last. */
const stretchBytes = 16 * 1024 * 1024;

export type Stretch = { readonly offset: number; readonly content: readonly string[] };

/**
 * @returns the stretches of a file that is worth being shared; undefined if it is not, or if a blob is unknown and its place in the file
 * therefore too: then one thread restores it, and says what is missing
 */
export const stretchesOf = (node: TreeNode, table: BlobTable): readonly Stretch[] | undefined => {
  if (node.sizeBytes < 2 * stretchBytes) return undefined;
  const stretches: { offset: number; content: string[] }[] = [];
  let offset = 0;
  let end = 0;
  for (const id of node.content ?? []) {
    const [place] = table.locate(id, "data");
    if (place === undefined) return undefined;
    if (offset >= end) {
      stretches.push({ offset, content: [] });
      end = offset + stretchBytes;
    }
    stretches.at(-1)?.content.push(id);
    offset += place.plainLength > 0 ? place.plainLength : place.length - sealBytes;
  }
  return stretches;
};

export class SharedFile {
  readonly node: TreeNode;
  readonly #folder: number;
  /** Stretches that are not written. */
  missing: number;
  #sizeBytes = 0;
  #fd: number | undefined;

  constructor(folder: number, node: TreeNode, stretches: number) {
    this.#folder = folder;
    this.node = node;
    this.missing = stretches;
  }

  /** Made when its first stretch is due: a folder of thousands of large files would need as many descriptors at once. */
  open(): number {
    return (this.#fd ??= createFile(this.#folder, this.node.name));
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  written(bytes: number): void {
    this.#sizeBytes += bytes;
    this.missing -= 1;
  }

  /** @returns false if the owner could not be set */
  finish(): boolean {
    const fd = this.open();
    // A hole at the end exists only once the file has its length.
    ftruncateSync(fd, this.#sizeBytes);
    const owned = applyMetadata(fd, this.node);
    this.close();
    return owned;
  }

  /** Safe more than once. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
