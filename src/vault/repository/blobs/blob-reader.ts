/**
 * Reads blobs: every byte that leaves here was authenticated, decompressed and held against its SHA-256. If a copy is damaged and the
 * vault has another, that one is read.
 */
import { hash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { Sealer } from "../seal/seal.ts";
import { type Store, StoreFileMissing } from "../stores/store.ts";
import { releaseMemory } from "./release-memory.ts";
import type { BlobPlace, BlobTable } from "./blob-table.ts";

/** Nothing that restic or we write is larger; a tree of millions of entries is the largest. */
const maxPlainBytes = 2 ** 31 - 1;

export type BlobSource = {
  /** @throws RefloatError vault.damaged */
  readonly read: (id: string, type: BlobType) => Promise<Buffer>;
};

export const damagedBlob = (id: string, packId: string | null, what: string, cause?: unknown): RefloatError =>
  new RefloatError(
    "vault.damaged",
    packId === null
      ? `the blob ${id.slice(0, 8)} ${what}`
      : `the blob ${id.slice(0, 8)} in pack ${packId.slice(0, 8)} ${what}`,
    {
      cause,
      context: { blob: id, pack: packId },
      hint: "verify the vault to learn what else is hurt, and recover from an older point or another copy",
    },
  );

/**
 * Opens one sealed blob. The plaintext lies in memory of its own.
 * @throws RefloatError vault.damaged
 */
export const openBlob = (sealed: Uint8Array, id: string, place: BlobPlace, sealer: Sealer): Buffer => {
  const opened = sealer.unseal(sealed);
  if (opened === undefined) throw damagedBlob(id, place.packId, "was changed: its seal is broken");
  let plain = opened;
  if (place.plainLength > 0) {
    try {
      plain = zstdDecompressSync(opened, {
        maxOutputLength: Math.min(place.plainLength, maxPlainBytes),
        // One piece instead of many that are joined; at least what zlib asks for.
        chunkSize: Math.max(place.plainLength, 64),
      });
    } catch (error) {
      throw damagedBlob(id, place.packId, "cannot be decompressed", error);
    }
    releaseMemory(opened);
  }
  if (hash("sha256", plain, "hex") !== id) throw damagedBlob(id, place.packId, "has other content than its id says");
  return plain;
};

export class BlobReader implements BlobSource {
  readonly #store: Store;
  readonly #sealer: Sealer;
  readonly #table: BlobTable;
  readonly #trees: Store;

  /** @param trees where packs of trees are read; what is damaged there is read from the store itself */
  constructor(store: Store, sealer: Sealer, table: BlobTable, trees: Store = store) {
    this.#store = store;
    this.#trees = trees;
    this.#sealer = sealer;
    this.#table = table;
  }

  async read(id: string, type: BlobType): Promise<Buffer> {
    const places = this.#table.locate(id, type);
    if (places.length === 0) throw damagedBlob(id, null, "is in no pack that the index knows");
    const stores = type === "tree" && this.#trees !== this.#store ? [this.#trees, this.#store] : [this.#store];
    const copies = places.flatMap((place) => stores.map((store) => ({ place, store })));
    let failure: unknown;
    for (const { place, store } of copies) {
      try {
        const sealed = await store.readRange("data", place.packId, place.offset, place.length);
        const blob = openBlob(sealed, id, place, this.#sealer);
        releaseMemory(sealed);
        return blob;
      } catch (error) {
        if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
        failure ??=
          error instanceof StoreFileMissing
            ? damagedBlob(id, place.packId, "is lost: the pack is missing", error)
            : error;
      }
    }
    throw failure;
  }
}
