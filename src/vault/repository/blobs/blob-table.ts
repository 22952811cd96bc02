/**
 * Which blobs the vault has and where, shared by all threads: one hash table in growable shared memory, about 60 bytes a blob, no
 * objects. Keys are whole ids with their type, since a file may well contain the text of a tree.
 *
 * A blob is first *claimed* (some thread has taken it upon itself to store it, so no other does) and then *placed*, once its pack is
 * durable. Any thread claims and looks up; only the main thread places.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobType, PackedBlob } from "../format/pack-header.ts";
import { SharedMutex } from "./shared-mutex.ts";

/** Structured-cloneable: what another thread needs to open the same table. */
export type BlobTableHandle = {
  readonly control: SharedArrayBuffer;
  readonly ids: SharedArrayBuffer;
  readonly places: SharedArrayBuffer;
  readonly buckets: SharedArrayBuffer;
  readonly packs: SharedArrayBuffer;
};

export type BlobPlace = Omit<PackedBlob, "id" | "type"> & { readonly packId: string };

const maxBlobs = 2 ** 25;
const maxPacks = 2 ** 23;
const firstBlobs = 4096;
const idWords = 8;
const placeWords = 4;
const claimedPack = 0x7fff_ffff;
/** Of a claim that was given up, or a pack that is gone: the entry stays, and is nobody's. */
const noPack = 0x7fff_fffe;

/** Indexes into the control words. */
const blobCount = 1;
const packCount = 2;
const bucketBase = 3;
const bucketMask = 4;
const controlWords = 8;

const growable = (bytes: number, maxBytes: number): SharedArrayBuffer =>
  new SharedArrayBuffer(bytes, { maxByteLength: maxBytes });

export const createBlobTable = (): BlobTable => {
  const handle = {
    control: new SharedArrayBuffer(controlWords * 4),
    ids: growable(firstBlobs * idWords * 4, maxBlobs * idWords * 4),
    places: growable(firstBlobs * placeWords * 4, maxBlobs * placeWords * 4),
    buckets: growable(firstBlobs * 2 * 4, maxBlobs * 4 * 4),
    packs: growable(1024 * idWords * 4, maxPacks * idWords * 4),
  };
  new Int32Array(handle.control)[bucketMask] = firstBlobs * 2 - 1;
  return new BlobTable(handle);
};

export class BlobTable {
  readonly handle: BlobTableHandle;
  readonly #mutex: SharedMutex;
  readonly #control: Int32Array;
  readonly #ids: Uint32Array;
  readonly #places: Uint32Array;
  readonly #buckets: Uint32Array;
  readonly #packs: Uint32Array;
  readonly #idBytes = Buffer.alloc(32);
  readonly #id = new Uint32Array(this.#idBytes.buffer, this.#idBytes.byteOffset, idWords);

  constructor(handle: BlobTableHandle) {
    this.handle = handle;
    this.#control = new Int32Array(handle.control);
    this.#mutex = new SharedMutex(this.#control, 0);
    this.#ids = new Uint32Array(handle.ids);
    this.#places = new Uint32Array(handle.places);
    this.#buckets = new Uint32Array(handle.buckets);
    this.#packs = new Uint32Array(handle.packs);
  }

  get size(): number {
    return Atomics.load(this.#control, blobCount);
  }

  /** @returns true if the caller must now store the blob, false if it is stored or another has claimed it */
  claim(id: string, type: BlobType): boolean {
    return this.#mutex.hold(() => {
      this.#takeId(id);
      if (this.#find(type, 0) !== -1) return false;
      this.#insert(type, claimedPack, 0, 0, 0);
      return true;
    });
  }

  has(id: string, type: BlobType): boolean {
    return this.#mutex.hold(() => {
      this.#takeId(id);
      return this.#find(type, 0) !== -1;
    });
  }

  /** Main thread only, while nobody captures: blobs that were claimed and never stored are free again. */
  dropClaims(): void {
    this.#mutex.hold(() => {
      const count = this.#control[blobCount] ?? 0;
      for (let entry = 0; entry < count; entry += 1) {
        if (this.#packOf(entry) === claimedPack) this.#places[entry * placeWords] = this.#emptied(entry);
      }
    });
  }

  /** Main thread only: packs that are no longer in the vault. What lay in them is unknown again, unless another pack has a copy. */
  dropPacks(isGone: (packId: string) => boolean): void {
    this.#mutex.hold(() => {
      const packs = this.#control[packCount] ?? 0;
      const gone = new Uint8Array(packs);
      for (let pack = 0; pack < packs; pack += 1) if (isGone(this.#packId(pack))) gone[pack] = 1;
      const count = this.#control[blobCount] ?? 0;
      for (let entry = 0; entry < count; entry += 1) {
        if (gone[this.#packOf(entry)] === 1) this.#places[entry * placeWords] = this.#emptied(entry);
      }
    });
  }

  /** Main thread only. The pack is durable: its blobs can be read from now on. */
  place(packId: string, blobs: readonly PackedBlob[]): void {
    this.#mutex.hold(() => {
      const pack = this.#addPack(packId);
      for (const blob of blobs) {
        this.#takeId(blob.id);
        const known = this.#find(blob.type, 0);
        if (known !== -1 && this.#packOf(known) === claimedPack) {
          this.#setPlace(known, blob.type, pack, blob.offset, blob.length, blob.plainLength);
        } else {
          this.#insert(blob.type, pack, blob.offset, blob.length, blob.plainLength);
        }
      }
    });
  }

  /** Every copy of a blob: usually one; two writers at once, or a copy made by hand, leave more. */
  locate(id: string, type: BlobType): readonly BlobPlace[] {
    return this.#mutex.hold(() => {
      this.#takeId(id);
      const places: BlobPlace[] = [];
      for (let nth = 0; ; nth += 1) {
        const entry = this.#find(type, nth);
        if (entry === -1) return places;
        const pack = this.#packOf(entry);
        if (pack === claimedPack) continue;
        const at = entry * placeWords;
        places.push({
          packId: this.#packId(pack),
          offset: this.#word(this.#places, at + 1),
          length: this.#word(this.#places, at + 2),
          plainLength: this.#word(this.#places, at + 3),
        });
      }
    });
  }

  #takeId(id: string): void {
    if (this.#idBytes.write(id, "hex") !== 32) throw new RefloatError("bug", `"${id}" is no blob id`);
  }

  #word(words: Uint32Array, at: number): number {
    return words[at] ?? 0;
  }

  #packOf(entry: number): number {
    return this.#word(this.#places, entry * placeWords) >>> 1;
  }

  #packId(pack: number): string {
    const bytes = Buffer.from(this.handle.packs, pack * idWords * 4, idWords * 4);
    return bytes.toString("hex");
  }

  /** @returns the entry that is the nth with the id taken and this type, or -1 */
  #find(type: BlobType, nth: number): number {
    const id = this.#id;
    const ids = this.#ids;
    const base = this.#control[bucketBase] ?? 0;
    const mask = this.#control[bucketMask] ?? 0;
    const typeBit = type === "data" ? 0 : 1;
    let left = nth;
    for (let slot = this.#word(id, 0) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#word(this.#buckets, base + slot) - 1;
      if (entry === -1) return -1;
      let word = 0;
      while (word < idWords && ids[entry * idWords + word] === id[word]) word += 1;
      if (word < idWords || (this.#word(this.#places, entry * placeWords) & 1) !== typeBit) continue;
      if (this.#packOf(entry) === noPack) continue;
      if (left === 0) return entry;
      left -= 1;
    }
  }

  /** The place of an entry that is nobody's; its type stays, so that look-ups pass over it in the same way. */
  #emptied(entry: number): number {
    return noPack * 2 + (this.#word(this.#places, entry * placeWords) & 1);
  }

  #setPlace(entry: number, type: BlobType, pack: number, offset: number, length: number, plainLength: number): void {
    const at = entry * placeWords;
    // Multiplied, not shifted: a shift would make the largest pack number negative.
    this.#places[at] = pack * 2 + (type === "data" ? 0 : 1);
    this.#places[at + 1] = offset;
    this.#places[at + 2] = length;
    this.#places[at + 3] = plainLength;
  }

  #insert(type: BlobType, pack: number, offset: number, length: number, plainLength: number): void {
    const entry = this.#control[blobCount] ?? 0;
    if (entry >= maxBlobs) {
      throw new RefloatError("vault.unsupported", `the vault has more than ${maxBlobs} blobs, which is more than fits`);
    }
    ensureWords(this.handle.ids, this.#ids, (entry + 1) * idWords);
    ensureWords(this.handle.places, this.#places, (entry + 1) * placeWords);
    for (let word = 0; word < idWords; word += 1) this.#ids[entry * idWords + word] = this.#word(this.#id, word);
    this.#setPlace(entry, type, pack, offset, length, plainLength);
    this.#control[blobCount] = entry + 1;
    if ((entry + 1) * 2 > (this.#control[bucketMask] ?? 0) + 1) this.#rehash();
    else this.#enter(entry);
  }

  #enter(entry: number): void {
    const base = this.#control[bucketBase] ?? 0;
    const mask = this.#control[bucketMask] ?? 0;
    let slot = this.#word(this.#ids, entry * idWords) & mask;
    while (this.#word(this.#buckets, base + slot) !== 0) slot = (slot + 1) & mask;
    this.#buckets[base + slot] = entry + 1;
  }

  /** Doubles the buckets in a fresh region behind the old one: growable memory only grows. */
  #rehash(): void {
    const oldLength = (this.#control[bucketMask] ?? 0) + 1;
    const base = (this.#control[bucketBase] ?? 0) + oldLength;
    const length = oldLength * 2;
    this.handle.buckets.grow((base + length) * 4);
    this.#control[bucketBase] = base;
    this.#control[bucketMask] = length - 1;
    const count = this.#control[blobCount] ?? 0;
    for (let entry = 0; entry < count; entry += 1) this.#enter(entry);
  }

  #addPack(packId: string): number {
    const pack = this.#control[packCount] ?? 0;
    if (pack >= maxPacks) throw new RefloatError("vault.unsupported", `the vault has more than ${maxPacks} packs`);
    ensureWords(this.handle.packs, this.#packs, (pack + 1) * idWords);
    Buffer.from(this.handle.packs).write(packId, pack * idWords * 4, "hex");
    this.#control[packCount] = pack + 1;
    return pack;
  }
}

/** Grows by half, so that growing is rare; untouched memory costs only addresses. */
const ensureWords = (buffer: SharedArrayBuffer, words: Uint32Array, wanted: number): void => {
  if (words.length >= wanted) return;
  buffer.grow(Math.min(buffer.maxByteLength, Math.max(wanted * 4, Math.ceil((buffer.byteLength * 1.5) / 64) * 64)));
};
