/**
 * Reads blobs: every byte that leaves here was authenticated, decompressed and held against its SHA-256. If a copy is damaged and the
 * vault has another, that one is read.
 */
import { hash } from "node:crypto";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobType } from "../format/pack-header.ts";
import { type Sealer, sealBytes } from "../seal/seal.ts";
import { type Store, StoreFileMissing } from "../stores/store.ts";
import type { BlobPlace, BlobTable } from "./blob-table.ts";
import { releaseMemory } from "../../../platform/release-memory.ts";
import { Scratch } from "./scratch.ts";
import { decompressInto } from "./zstd-frames.ts";

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

/** Of the thread: between two calls nothing lies in them. */
const frames = new Scratch();
const contents = new Scratch();

/**
 * Opens one sealed blob into `memory`, or into that of the thread.
 * @returns a view, valid until the memory is used again
 * @throws RefloatError vault.damaged
 */
export const openBlobInto = (
  sealed: Uint8Array,
  id: string,
  place: BlobPlace,
  sealer: Sealer,
  memory: Scratch = contents,
): Buffer => {
  const isFrame = place.plainLength > 0;
  const opened = (isFrame ? frames : memory).room(Math.max(sealed.length - sealBytes, 0));
  if (!sealer.unsealInto(sealed, opened)) throw damagedBlob(id, place.packId, "was changed: its seal is broken");
  if (!isFrame) return requireContent(opened, id, place);
  const room = memory.room(Math.min(place.plainLength, maxPlainBytes));
  let plainBytes: number;
  try {
    plainBytes = decompressInto(opened, room);
  } catch (error) {
    throw damagedBlob(id, place.packId, "cannot be decompressed", error);
  }
  return requireContent(room.subarray(0, plainBytes), id, place);
};

const requireContent = (plain: Buffer, id: string, { packId }: BlobPlace): Buffer => {
  if (hash("sha256", plain, "hex") !== id) throw damagedBlob(id, packId, "has other content than its id says");
  return plain;
};

/**
 * Opens one sealed blob. The plaintext lies in memory of its own.
 * @throws RefloatError vault.damaged
 */
export const openBlob = (sealed: Uint8Array, id: string, place: BlobPlace, sealer: Sealer): Buffer => {
  const plain = openBlobInto(sealed, id, place, sealer);
  const own = Buffer.allocUnsafeSlow(plain.length);
  plain.copy(own);
  return own;
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
    return this.#readBy(openBlob, id, type);
  }

  /** @returns a view into `memory`, valid until that is used again @throws RefloatError vault.damaged */
  async readInto(id: string, type: BlobType, memory: Scratch): Promise<Buffer> {
    return this.#readBy((...blob) => openBlobInto(...blob, memory), id, type);
  }

  async #readBy(open: typeof openBlob, id: string, type: BlobType): Promise<Buffer> {
    const places = this.#table.locate(id, type);
    if (places.length === 0) throw damagedBlob(id, null, "is in no pack that the index knows");
    const stores = type === "tree" && this.#trees !== this.#store ? [this.#trees, this.#store] : [this.#store];
    const copies = places.flatMap((place) => stores.map((store) => ({ place, store })));
    let failure: unknown;
    for (const { place, store } of copies) {
      try {
        const sealed = await store.readRange("data", place.packId, place.offset, place.length);
        const blob = open(sealed, id, place, this.#sealer);
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
