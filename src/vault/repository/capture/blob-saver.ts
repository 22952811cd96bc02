/** Stores blobs once: hash, claim, and only for a new one compress, seal and pack. One per worker thread. */
import { hash } from "node:crypto";
import type { BlobTable } from "../blobs/blob-table.ts";
import { PackWriter, type PackWriterOptions } from "../blobs/pack-writer.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { Store } from "../stores/store.ts";

export type SavedBlob = {
  readonly id: string;
  /** What it added to the vault; 0 if it was there. */
  readonly newBytes: number;
};

/** Finished packs that may wait for the disk before the writer waits as well. */
const mostFlushes = 3;

export class BlobSaver {
  readonly #table: BlobTable;
  readonly #packs: Readonly<Record<BlobType, PackWriter>>;

  /** @param trees where packs of trees go, which may be kept nearby as well */
  constructor(table: BlobTable, options: Omit<PackWriterOptions, "type">, trees: Store = options.store) {
    this.#table = table;
    // Trees apart from data: listing a snapshot then reads a few packs, not all.
    this.#packs = {
      data: new PackWriter({ ...options, type: "data" }),
      tree: new PackWriter({ ...options, store: trees, type: "tree" }),
    };
  }

  save(plain: Uint8Array, type: BlobType): SavedBlob {
    const id = hash("sha256", plain, "hex");
    return { id, newBytes: this.#table.claim(id, type) ? this.#packs[type].add(id, plain) : 0 };
  }

  /** Stores it in any case, since the copy that is there is to go. @returns what it added to the vault */
  copy(id: string, type: BlobType, plain: Uint8Array): number {
    return this.#packs[type].add(id, plain);
  }

  has(id: string, type: BlobType): boolean {
    return this.#table.has(id, type);
  }

  /** Back-pressure: call between pieces of work. */
  async settle(): Promise<void> {
    await this.#packs.data.settle(mostFlushes);
    await this.#packs.tree.settle(mostFlushes);
  }

  /** Leaves nothing of packs that are not finished, and starts anew after a failure. */
  async drop(): Promise<void> {
    await this.#packs.data.drop();
    await this.#packs.tree.drop();
  }

  async flush(): Promise<void> {
    await this.#packs.data.flush();
    await this.#packs.tree.flush();
  }
}
