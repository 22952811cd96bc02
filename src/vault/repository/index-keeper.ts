/** Keeps the blob table in step with the vault's index files: loads those it has not seen, writes those of our own packs. */
import type { BlobTable } from "./blobs/blob-table.ts";
import { type IndexedPack, maxIndexBlobs, readIndex, writeIndex } from "./format/index-file.ts";
import type { RepositoryVersion } from "./format/unpacked-file.ts";
import type { Sealer } from "./seal/seal.ts";
import type { Store } from "./stores/store.ts";

export class IndexKeeper {
  readonly #store: Store;
  readonly #sealer: Sealer;
  readonly #version: RepositoryVersion;
  readonly #table: BlobTable;
  readonly #loaded = new Set<string>();
  readonly #packs = new Set<string>();
  #unwritten: IndexedPack[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(store: Store, sealer: Sealer, version: RepositoryVersion, table: BlobTable) {
    this.#store = store;
    this.#sealer = sealer;
    this.#version = version;
    this.#table = table;
  }

  /** Reads index files that are new since the last time. */
  async load(): Promise<void> {
    for await (const { name } of this.#store.list("index")) {
      if (this.#loaded.has(name)) continue;
      await readIndex(this.#store, this.#sealer, name, (pack) => this.#place(pack));
      this.#loaded.add(name);
    }
  }

  /** A pack of ours is durable. */
  add(pack: IndexedPack): void {
    this.#place(pack);
    this.#unwritten.push(pack);
  }

  /** Writes the index of all packs that are durable and in no index yet. */
  async flush(): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(async () => this.#writeAll());
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#unwritten.length > 0) {
      let blobs = 0;
      let packs = 0;
      for (const pack of this.#unwritten) {
        if (packs > 0 && blobs + pack.blobs.length > maxIndexBlobs) break;
        blobs += pack.blobs.length;
        packs += 1;
      }
      const part = this.#unwritten.slice(0, packs);
      this.#loaded.add(await writeIndex(this.#store, this.#sealer, this.#version, part));
      // Only now: after a failure the packs are still to be indexed.
      this.#unwritten = this.#unwritten.slice(packs);
    }
  }

  /** An interrupted repack leaves packs that two indexes name. */
  #place(pack: IndexedPack): void {
    if (this.#packs.has(pack.id)) return;
    this.#packs.add(pack.id);
    this.#table.place(pack.id, pack.blobs);
  }
}
