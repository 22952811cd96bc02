/** Keeps the blob table in step with the vault's index files: loads those it has not seen, writes those of our own packs. */
import type { RefloatError } from "../../model/refloat-error.ts";
import type { BlobTable } from "./blobs/blob-table.ts";
import { type IndexedPack, maxIndexBlobs, scanIndexes, writeIndex } from "./format/index-file.ts";
import type { RepositoryVersion } from "./format/unpacked-file.ts";
import type { Sealer } from "./seal/seal.ts";
import type { Store } from "./stores/store.ts";

/** About what a blob takes in a compressed index, and rather more: the buckets of a table that is too large are memory for nothing. */
const storedBytesPerBlob = 64;

export class IndexKeeper {
  readonly #store: Store;
  readonly #sealer: Sealer;
  readonly #version: RepositoryVersion;
  readonly #table: BlobTable;
  readonly #loaded = new Set<string>();
  readonly #packs = new Set<string>();
  #unwritten: IndexedPack[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(store: Store, sealer: Sealer, version: RepositoryVersion, table: BlobTable) {
    this.#store = store;
    this.#sealer = sealer;
    this.#version = version;
    this.#table = table;
  }

  /** Reads index files that are new since the last time; if some are gone, another program has pruned, and what they named with it. */
  async load(): Promise<void> {
    return this.#inTurn(async () => this.#loadAll(undefined));
  }

  /**
   * The same as far as they can be read. One rotten index must not keep what the others name from being recovered; what it alone names
   * is unknown then, and stored again by a capture. Never enough to decide what may be deleted.
   * @param damaged told of each that cannot be read
   */
  async loadReadable(damaged: (index: string, error: RefloatError) => void): Promise<void> {
    return this.#inTurn(async () => this.#loadAll(damaged));
  }

  /** A pack of ours is durable. */
  add(pack: IndexedPack): void {
    this.#place(pack);
    this.#unwritten.push(pack);
  }

  /** Writes the index of all packs that are durable and in no index yet. */
  async flush(): Promise<void> {
    return this.#inTurn(async () => this.#writeAll());
  }

  /** An index that is written while others are listed would be taken for one that was pruned. */
  async #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #loadAll(damaged: ((index: string, error: RefloatError) => void) | undefined): Promise<void> {
    const names: string[] = [];
    let unreadBytes = 0;
    for await (const { name, sizeBytes } of this.#store.list("index")) {
      names.push(name);
      if (!this.#loaded.has(name)) unreadBytes += sizeBytes;
    }
    const present = new Set(names);
    const pruned = [...this.#loaded].some((name) => !present.has(name));
    const alive = new Set<string>();
    const unread = pruned ? names : names.filter((name) => !this.#loaded.has(name));
    this.#table.reserve(Math.floor(unreadBytes / storedBytesPerBlob));
    const rotten = new Set<string>();
    await scanIndexes(
      this.#store,
      this.#sealer,
      unread,
      ({ id, records }) => {
        alive.add(id);
        if (this.#isNew(id)) this.#table.placeRecords(id, records);
      },
      damaged &&
        ((name, error) => {
          rotten.add(name);
          damaged(name, error);
        }),
    );
    for (const name of unread) if (!rotten.has(name)) this.#loaded.add(name);
    if (!pruned) return;
    for (const { id } of this.#unwritten) alive.add(id);
    this.#table.dropPacks((packId) => !alive.has(packId));
    for (const packId of this.#packs) if (!alive.has(packId)) this.#packs.delete(packId);
    for (const name of this.#loaded) if (!present.has(name)) this.#loaded.delete(name);
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

  #place(pack: IndexedPack): void {
    if (this.#isNew(pack.id)) this.#table.place(pack.id, pack.blobs);
  }

  /** An interrupted repack leaves packs that two indexes name. */
  #isNew(packId: string): boolean {
    if (this.#packs.has(packId)) return false;
    this.#packs.add(packId);
    return true;
  }
}
