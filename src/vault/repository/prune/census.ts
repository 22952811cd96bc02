/**
 * Counts what the vault holds and what its snapshots use of it. Nothing is taken from what an open repository believes: packs, the names of snapshots,
 * indexes and then those snapshots are read anew. A snapshot that is listed has its index there, so that what a capture or the receiver of a log adds
 * meanwhile is never counted as lost. Of each blob one copy is counted
 * as used; the others may go.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { BlobCache } from "../blobs/blob-cache.ts";
import { BlobReader, damagedBlob } from "../blobs/blob-reader.ts";
import { type BlobCopy, createBlobTable } from "../blobs/blob-table.ts";
import { type BlobRecords, recordWords } from "../format/blob-records.ts";
import { scanIndexes } from "../format/index-file.ts";
import { type BlobType, headerEntryBytes } from "../format/pack-header.ts";
import { type StoredSnapshot, readSnapshot } from "../format/snapshot-file.ts";
import { decodeTree } from "../format/tree-decoder.ts";
import { type UnusedRecord, packsPassedOver } from "../format/unused-record.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { type Store, StoreFileMissing, type StoreKind } from "../stores/store.ts";

const cachedBytes = 16 * 1024 * 1024;
const mostAttempts = 20;

export type CountedPack = {
  readonly id: string;
  /** Whether the store has it: an index may name one that is gone. */
  present: boolean;
  /** Sealed blobs and their entries in the header. */
  readonly bytes: number;
  readonly blobs: number;
  usedBytes: number;
  usedBlobs: number;
};

export const namesOf = async (store: Store, kind: StoreKind): Promise<ReadonlySet<string>> => {
  const names = new Set<string>();
  for await (const { name } of store.list(kind)) names.add(name);
  return names;
};

export class Census {
  readonly #context: Pick<RepositoryContext, "store" | "sealer">;
  readonly #signal: AbortSignal;
  readonly #table = createBlobTable();
  readonly #blobs: BlobCache;
  /** In the order of placing, so that the table's numbers fit. */
  readonly packs: CountedPack[] = [];
  readonly packNumbers = new Map<string, number>();
  /** Packs that the store had when the census began, with their sizes. */
  readonly stored = new Map<string, number>();
  /** Index files that were read, and the packs that each names. */
  readonly indexes = new Map<string, readonly number[]>();
  readonly records = new Map<string, UnusedRecord>();
  readonly #walked = new Set<string>();
  #looked = 0;
  #unusedPacks: ReadonlySet<string> = new Set();
  /** One byte an entry: 1 if that copy is the one that counts as used. */
  #used = new Uint8Array(4096);
  readonly #progress: (trees: number) => void;

  constructor(
    context: Pick<RepositoryContext, "store" | "sealer">,
    signal: AbortSignal,
    progress: (trees: number) => void,
  ) {
    this.#context = context;
    this.#signal = signal;
    this.#progress = progress;
    this.#blobs = new BlobCache(new BlobReader(context.store, context.sealer, this.#table), cachedBytes);
  }

  /** @throws RefloatError vault.damaged if anything that is needed to tell used from unused cannot be read */
  async count(without: ReadonlySet<string>): Promise<void> {
    for await (const { name, sizeBytes } of this.#context.store.list("data")) this.stored.set(name, sizeBytes);
    await this.walkSnapshots(without);
  }

  /** Reads index files that are there and were not read yet, until a listing holds no new one. */
  async #readIndexes(): Promise<void> {
    const { store, sealer } = this.#context;
    for (let attempt = 0; ; attempt += 1) {
      const names = await namesOf(store, "index");
      for (const name of [...this.indexes.keys(), ...this.records.keys()]) {
        if (names.has(name)) continue;
        this.indexes.delete(name);
        this.records.delete(name);
      }
      const unread = [...names].filter((name) => !this.indexes.has(name) && !this.records.has(name));
      if (unread.length === 0) break;
      try {
        for (const name of unread) {
          const named: number[] = [];
          this.#signal.throwIfAborted();
          await scanIndexes(
            store,
            sealer,
            [name],
            ({ id, records }) => named.push(this.#place(id, records)),
            undefined,
            (record) => this.records.set(name, record),
          );
          if (!this.records.has(name)) this.indexes.set(name, named);
        }
      } catch (error) {
        if (!(error instanceof StoreFileMissing) || attempt > mostAttempts) throw error;
      }
    }
    await this.#lookForLaterPacks();
    this.#unusedPacks = packsPassedOver(this.records.values());
  }

  /** A pack that was not there when the store was listed was written since, or is lost. */
  async #lookForLaterPacks(): Promise<void> {
    for (; this.#looked < this.packs.length; this.#looked += 1) {
      const pack = this.packs[this.#looked];
      if (pack === undefined || pack.present) continue;
      try {
        const { sizeBytes } = await this.#context.store.stat("data", pack.id);
        this.stored.set(pack.id, sizeBytes);
        pack.present = true;
      } catch (error) {
        if (!(error instanceof StoreFileMissing)) throw error;
      }
    }
  }

  isUsed(entry: number): boolean {
    return this.#used[entry] === 1;
  }

  copies(id: string, type: BlobType): readonly BlobCopy[] {
    return this.#table.copies(id, type);
  }

  /** Those that are new since the last time, and the indexes that are. */
  async walkSnapshots(without: ReadonlySet<string>): Promise<void> {
    const names = await namesOf(this.#context.store, "snapshots");
    await this.#readIndexes();
    for (const name of names) {
      if (this.#walked.has(name) || without.has(name)) continue;
      const snapshot = await this.#snapshot(name);
      if (snapshot !== undefined) await this.#walk(snapshot.tree);
      this.#walked.add(name);
    }
  }

  async #snapshot(name: string): Promise<StoredSnapshot | undefined> {
    const { store, sealer } = this.#context;
    try {
      return await readSnapshot(store, sealer, name);
    } catch (error) {
      if (error instanceof StoreFileMissing) return undefined;
      if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
      throw new RefloatError(
        "vault.damaged",
        `nobody can tell what snapshot ${name.slice(0, 8)} uses: ${error.message}`,
        {
          cause: error,
          context: { snapshot: name },
          state: "no data was removed from the vault",
          hint: "repair it from a copy; if it is lost for good, `restic forget` takes it away",
          nextCommand: "refloat verify",
        },
      );
    }
  }

  async #walk(root: string): Promise<void> {
    const trees = [root];
    for (let tree = trees.pop(); tree !== undefined; tree = trees.pop()) {
      this.#signal.throwIfAborted();
      if (!this.#use(tree, "tree")) continue;
      for (const node of decodeTree(await this.#blobs.read(tree, "tree"), tree)) {
        for (const id of node.content ?? []) this.#use(id, "data");
        if (node.subtree !== undefined) trees.push(node.subtree);
      }
      this.#progress(1);
    }
  }

  /** @returns whether it is used for the first time */
  #use(id: string, type: BlobType): boolean {
    const copies = this.#table.copies(id, type);
    if (copies.some(({ entry }) => this.isUsed(entry))) return false;
    const present = copies.filter(({ pack }) => this.packs[pack]?.present === true);
    const chosen = present.find(({ pack }) => !this.#unusedPacks.has(this.packs[pack]?.id ?? "")) ?? present[0];
    const pack = chosen === undefined ? undefined : this.packs[chosen.pack];
    if (chosen === undefined || pack === undefined) {
      throw new RefloatError("vault.damaged", `the vault has lost data that a snapshot uses`, {
        cause: damagedBlob(id, null, "is in no pack that is there"),
        context: { blob: id, type },
        state: "no data was removed from the vault",
        hint: "what is not used now may be what a repair needs",
        nextCommand: "refloat verify",
      });
    }
    if (chosen.entry >= this.#used.length) {
      const larger = new Uint8Array(Math.max(this.#table.size, chosen.entry + 1) * 2);
      larger.set(this.#used);
      this.#used = larger;
    }
    this.#used[chosen.entry] = 1;
    pack.usedBytes += chosen.length;
    pack.usedBlobs += 1;
    return true;
  }

  #place(id: string, records: BlobRecords): number {
    const known = this.packNumbers.get(id);
    if (known !== undefined) return known;
    const number = this.packs.length;
    let bytes = 0;
    for (let record = 0; record < records.count; record += 1) {
      const length = records.words[record * recordWords + 10] ?? 0;
      bytes += length + headerEntryBytes((records.words[record * recordWords + 11] ?? 0) > 0);
    }
    this.packs.push({ id, present: this.stored.has(id), bytes, blobs: records.count, usedBytes: 0, usedBlobs: 0 });
    this.packNumbers.set(id, number);
    this.#table.placeRecords(id, records);
    return number;
  }
}
