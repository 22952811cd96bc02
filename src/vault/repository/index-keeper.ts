/** Keeps the blob table in step with the vault's index files: loads those it has not seen, writes those of our own packs. */
import type { BlobTable } from "./blobs/blob-table.ts";
import { type IndexedPack, indexParts, scanIndexes, writeIndex } from "./format/index-file.ts";
import type { RepositoryVersion } from "./format/unpacked-file.ts";
import type { Sealer } from "./seal/seal.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Store, StoreFileMissing } from "./stores/store.ts";

/** About what a blob takes in a compressed index, and rather more: the buckets of a table that is too large are memory for nothing. */
const storedBytesPerBlob = 64;
/** Each is spoilt only by a prune that takes indexes away in that very moment. */
const mostAttempts = 20;

type DamageListener = (index: string, error: RefloatError) => void;

export class IndexKeeper {
  readonly #store: Store;
  readonly #sealer: Sealer;
  readonly #version: RepositoryVersion;
  readonly #table: BlobTable;
  readonly #loaded = new Set<string>();
  readonly #packs = new Set<string>();
  /** By index, the packs that it names. */
  readonly #named = new Map<string, string[]>();
  /** Packs that a prune has found unused or a repair has given up, by the record that says so. */
  readonly #unused = new Map<string, readonly string[]>();
  #anyUnused = false;
  #unwritten: IndexedPack[] = [];
  /** The lock under which the unwritten packs were stored, or were last seen. */
  #session: string | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(store: Store, sealer: Sealer, version: RepositoryVersion, table: BlobTable) {
    this.#store = store;
    this.#sealer = sealer;
    this.#version = version;
    this.#table = table;
  }

  /**
   * Reads index files that are new since the last time; if some are gone, someone has pruned, and what they named with it. When it
   * resolves, all that it knows was there after it was called.
   * @param session of the lock under which something will be stored; left out for reading
   */
  async load(session?: string): Promise<void> {
    return this.#inTurn(async () => this.#loadFor(session, undefined));
  }

  /**
   * The same as far as they can be read. One rotten index must not keep what the others name from being recovered; what it alone names
   * is unknown then, and stored again by a capture. Never enough to decide what may be deleted.
   * @param damaged told of each that cannot be read
   */
  async loadReadable(damaged: DamageListener, session?: string): Promise<void> {
    return this.#inTurn(async () => this.#loadFor(session, damaged));
  }

  /** A pack of ours is durable. */
  add(pack: IndexedPack): void {
    this.#place(pack);
    this.#unwritten.push(pack);
  }

  /** Packs that are durable and in no index yet: nobody relies on them. */
  get unwritten(): readonly IndexedPack[] {
    return this.#unwritten;
  }

  /** By pack, the indexes of the store that name it, as far as they could be read. */
  indexesByPack(): ReadonlyMap<string, readonly string[]> {
    const indexes = new Map<string, string[]>();
    for (const [index, packs] of this.#named) {
      for (const pack of packs) {
        const naming = indexes.get(pack);
        if (naming === undefined) indexes.set(pack, [index]);
        else naming.push(index);
      }
    }
    return indexes;
  }

  /** By index, the packs that it names. */
  get named(): ReadonlyMap<string, readonly string[]> {
    return this.#named;
  }

  /** Packs that nobody shall count on. */
  get passedOver(): ReadonlySet<string> {
    return new Set([...this.#unused.values()].flat());
  }

  /** Writes indexes of packs that others name already. */
  async writeAgain(target: Pick<Store, "write">, packs: readonly IndexedPack[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const part of indexParts(packs)) await this.#write(target, part);
    });
  }

  /** They are not what was to be written, and go into no index. */
  forget(packIds: ReadonlySet<string>): void {
    this.#unwritten = this.#unwritten.filter(({ id }) => !packIds.has(id));
    this.#dropExcept(new Set([...this.#packs].filter((id) => !packIds.has(id))));
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

  async #loadFor(session: string | undefined, damaged: DamageListener | undefined): Promise<void> {
    await this.#loadAll(damaged);
    if (session === undefined || session === this.#session) return;
    await this.#lookAtUnwritten();
    this.#session = session;
  }

  async #loadAll(damaged: DamageListener | undefined): Promise<void> {
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const { names, unreadBytes } = await this.#list();
      try {
        await this.#takeIn(names, unreadBytes, damaged);
      } catch (error) {
        // A prune took it away since it was listed; what replaces it is there already.
        if (error instanceof StoreFileMissing) continue;
        throw error;
      }
      // A listing takes its time: one that still names an index which is gone may lack the record of why.
      const { names: after } = await this.#list();
      const still = new Set(after);
      if (names.every((name) => still.has(name))) {
        this.#passOverUnused();
        return;
      }
    }
    throw new RefloatError("vault.store-failed", `the indexes of the vault at ${this.#store.location} keep changing`, {
      hint: "it is pruned again and again; try later",
    });
  }

  async #list(): Promise<{ readonly names: readonly string[]; readonly unreadBytes: number }> {
    const names: string[] = [];
    let unreadBytes = 0;
    for await (const { name, sizeBytes } of this.#store.list("index")) {
      names.push(name);
      if (!this.#loaded.has(name)) unreadBytes += sizeBytes;
    }
    return { names, unreadBytes };
  }

  async #takeIn(names: readonly string[], unreadBytes: number, damaged: DamageListener | undefined): Promise<void> {
    const present = new Set(names);
    const pruned = [...this.#loaded].some((name) => !present.has(name));
    const alive = new Set<string>();
    const unread = pruned ? names : names.filter((name) => !this.#loaded.has(name));
    this.#table.reserve(Math.floor(unreadBytes / storedBytesPerBlob));
    const rotten = new Set<string>();
    for (const name of unread) this.#named.delete(name);
    await scanIndexes(
      this.#store,
      this.#sealer,
      unread,
      ({ id, records }, name) => {
        alive.add(id);
        this.#note(name, id);
        if (this.#isNew(id)) this.#table.placeRecords(id, records);
      },
      damaged &&
        ((name, error) => {
          rotten.add(name);
          this.#named.delete(name);
          damaged(name, error);
        }),
      (record, name) => {
        if (record.kind !== "witness") this.#unused.set(name, record.packs);
      },
    );
    for (const name of unread) if (!rotten.has(name)) this.#loaded.add(name);
    if (!pruned) return;
    for (const { id } of this.#unwritten) alive.add(id);
    this.#dropExcept(alive);
    for (const name of this.#loaded) if (!present.has(name)) this.#loaded.delete(name);
    for (const name of this.#unused.keys()) if (!present.has(name)) this.#unused.delete(name);
    for (const name of this.#named.keys()) if (!present.has(name)) this.#named.delete(name);
  }

  #note(index: string, pack: string): void {
    const named = this.#named.get(index);
    if (named === undefined) this.#named.set(index, [pack]);
    else named.push(pack);
  }

  #dropExcept(alive: ReadonlySet<string>): void {
    this.#table.dropPacks((packId) => !alive.has(packId));
    for (const packId of this.#packs) if (!alive.has(packId)) this.#packs.delete(packId);
  }

  /** Packs of a capture that failed are in no index; without its lock a prune may have taken them for what they are. */
  async #lookAtUnwritten(): Promise<void> {
    const found: IndexedPack[] = [];
    for (const pack of this.#unwritten) if (await this.#isStored(pack.id)) found.push(pack);
    if (found.length === this.#unwritten.length) return;
    const gone = new Set(this.#unwritten.filter((pack) => !found.includes(pack)).map(({ id }) => id));
    this.#unwritten = found;
    this.#dropExcept(new Set([...this.#packs].filter((id) => !gone.has(id))));
  }

  async #isStored(packId: string): Promise<boolean> {
    try {
      await this.#store.stat("data", packId);
      return true;
    } catch (error) {
      if (error instanceof StoreFileMissing) return false;
      throw error;
    }
  }

  #passOverUnused(): void {
    if (this.#unused.size === 0 && !this.#anyUnused) return;
    this.#anyUnused = this.#unused.size > 0;
    const unused = this.passedOver;
    this.#table.setUnused((packId) => unused.has(packId));
  }

  async #writeAll(): Promise<void> {
    while (this.#unwritten.length > 0) {
      const [part = []] = indexParts(this.#unwritten);
      await this.#write(this.#store, part);
      // Only now: after a failure the packs are still to be indexed.
      this.#unwritten = this.#unwritten.slice(part.length);
    }
  }

  async #write(target: Pick<Store, "write">, part: readonly IndexedPack[]): Promise<void> {
    const name = await writeIndex(target, this.#sealer, this.#version, part);
    this.#loaded.add(name);
    for (const { id } of part) this.#note(name, id);
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
