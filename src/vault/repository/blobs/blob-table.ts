/**
 * Which blobs the vault has and where, shared by all threads: one hash table in growable shared memory, about 60 bytes a blob, no
 * objects. Keys are whole ids with their type, since a file may well contain the text of a tree.
 *
 * A blob is first *claimed* (some thread has taken it upon itself to store it, so no other does) and then *placed*, once its pack is
 * durable. Any thread claims and looks up; only the main thread places.
 *
 * A pack that a prune has found *unused*, or a repair has given up, is as good as gone for whoever stores: its blobs are stored again. For whoever reads it is the
 * last resort.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { BlobRecords, recordWords } from "../format/blob-records.ts";
import type { BlobType, PackedBlob } from "../format/pack-header.ts";
import { SharedMutex } from "./shared-mutex.ts";

/** Structured-cloneable: what another thread needs to open the same table. */
export type BlobTableHandle = {
  readonly control: SharedArrayBuffer;
  readonly ids: SharedArrayBuffer;
  readonly places: SharedArrayBuffer;
  readonly buckets: SharedArrayBuffer;
  readonly packs: SharedArrayBuffer;
  /** One byte a pack: 1 if it is found unused. */
  readonly unused: SharedArrayBuffer;
};

/** One copy of a blob, by the number of its entry and of its pack in the order of placing. */
export type BlobCopy = { readonly entry: number; readonly pack: number; readonly length: number };

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
/** Counts how often memory grew. */
const growths = 5;
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
    unused: growable(0, maxPacks),
  };
  new Int32Array(handle.control)[bucketMask] = firstBlobs * 2 - 1;
  return new BlobTable(handle);
};

export class BlobTable {
  readonly handle: BlobTableHandle;
  readonly #mutex: SharedMutex;
  readonly #control: Int32Array;
  /** Views of what was there when memory last grew: those that grow by themselves ask for their length at every access. */
  #ids: Uint32Array;
  #places: Uint32Array;
  #buckets: Uint32Array;
  #seenGrowths = 0;
  /** Follows the memory as it grows; asked only for what was found. */
  readonly #unused: Uint8Array;
  readonly #idBytes = Buffer.alloc(32);
  readonly #id = new Uint32Array(this.#idBytes.buffer, this.#idBytes.byteOffset, idWords);
  /** The record of a claim: an id, a type, and no place. */
  readonly #claimed = new Uint32Array(recordWords);

  constructor(handle: BlobTableHandle) {
    this.handle = handle;
    this.#control = new Int32Array(handle.control);
    this.#mutex = new SharedMutex(this.#control, 0);
    this.#ids = wordsOf(handle.ids);
    this.#places = wordsOf(handle.places);
    this.#buckets = wordsOf(handle.buckets);
    this.#unused = new Uint8Array(handle.unused);
    // Another thread may grow it between the views: looked at again under the mutex.
    this.#seenGrowths = -1;
  }

  get size(): number {
    return Atomics.load(this.#control, blobCount);
  }

  /** @returns true if the caller must now store the blob, false if it is stored or another has claimed it */
  claim(id: string, type: BlobType): boolean {
    return this.#hold(() => {
      this.#takeId(id);
      if (this.#find(type, 0, true) !== -1) return false;
      this.#reserve(1);
      this.#claimed.set(this.#id);
      this.#claimed[idWords] = type === "data" ? 0 : 1;
      this.#put(this.#claimed, 0, claimedPack);
      return true;
    });
  }

  has(id: string, type: BlobType): boolean {
    return this.#hold(() => {
      this.#takeId(id);
      return this.#find(type, 0, true) !== -1;
    });
  }

  /** Main thread only, while nobody captures: blobs that were claimed and never stored are free again. */
  dropClaims(): void {
    this.#hold(() => {
      const count = this.#control[blobCount] ?? 0;
      for (let entry = 0; entry < count; entry += 1) {
        if (this.#packOf(entry) === claimedPack) this.#places[entry * placeWords] = this.#emptied(entry);
      }
    });
  }

  /** Main thread only: packs that are no longer in the vault. What lay in them is unknown again, unless another pack has a copy. */
  dropPacks(isGone: (packId: string) => boolean): void {
    this.#hold(() => {
      const packs = this.#control[packCount] ?? 0;
      const gone = new Uint8Array(packs);
      for (let pack = 0; pack < packs; pack += 1) if (isGone(this.#packId(pack))) gone[pack] = 1;
      const count = this.#control[blobCount] ?? 0;
      for (let entry = 0; entry < count; entry += 1) {
        if (gone[this.#packOf(entry)] === 1) this.#places[entry * placeWords] = this.#emptied(entry);
      }
    });
  }

  /** Main thread only: which packs a prune has found unused; those that were and are not named any more are used again. */
  setUnused(isUnused: (packId: string) => boolean): void {
    this.#hold(() => {
      const packs = this.#control[packCount] ?? 0;
      if (this.handle.unused.byteLength < packs) this.handle.unused.grow(packs);
      for (let pack = 0; pack < packs; pack += 1) this.#unused[pack] = isUnused(this.#packId(pack)) ? 1 : 0;
    });
  }

  /** Main thread only: so many more are about to be placed. A guess that is too small costs a little time, one too large memory. */
  reserve(blobs: number): void {
    this.#hold(() => this.#reserve(Math.min(blobs, maxBlobs - this.size)));
  }

  /** Main thread only. The pack is durable: its blobs can be read from now on. */
  place(packId: string, blobs: readonly PackedBlob[]): void {
    const records = new BlobRecords();
    for (const { id, type, offset, length, plainLength } of blobs) {
      if (!records.takeHexId(Buffer.from(id, "latin1"), 0)) throw new RefloatError("bug", `"${id}" is no blob id`);
      records.add(type, offset, length, plainLength);
    }
    this.placeRecords(packId, records);
  }

  /** The same for blobs that an index names. */
  placeRecords(packId: string, { words, count }: BlobRecords): void {
    this.#hold(() => {
      const pack = this.#addPack(packId);
      this.#reserve(count);
      for (let at = 0; at < count * recordWords; at += recordWords) this.#put(words, at, pack);
    });
  }

  /** Every copy of a blob: usually one; two writers at once, or a copy made by hand, leave more. Those in unused packs come last. */
  locate(id: string, type: BlobType): readonly BlobPlace[] {
    return this.#hold(() => {
      const copies = this.#copies(id, type);
      const ordered =
        copies.length < 2 ? copies : copies.toSorted((a, b) => this.#isUnused(a.pack) - this.#isUnused(b.pack));
      return ordered.map(({ entry, pack, length }) => {
        const at = entry * placeWords;
        return {
          packId: this.#packId(pack),
          offset: this.#word(this.#places, at + 1),
          length,
          plainLength: this.#word(this.#places, at + 3),
        };
      });
    });
  }

  /** The packs that readers of a blob turn to: those that are found unused only if there is no other. */
  packsOf(id: string, type: BlobType): readonly string[] {
    return this.#hold(() => {
      const copies = this.#copies(id, type);
      const used = copies.filter(({ pack }) => this.#isUnused(pack) === 0);
      return (used.length > 0 ? used : copies).map(({ pack }) => this.#packId(pack));
    });
  }

  /** Every copy as numbers, for who counts what is used. */
  copies(id: string, type: BlobType): readonly BlobCopy[] {
    return this.#hold(() => this.#copies(id, type));
  }

  #copies(id: string, type: BlobType): readonly BlobCopy[] {
    this.#takeId(id);
    const copies: BlobCopy[] = [];
    for (let nth = 0; ; nth += 1) {
      const entry = this.#find(type, nth, false);
      if (entry === -1) return copies;
      const pack = this.#packOf(entry);
      if (pack === claimedPack) continue;
      copies.push({ entry, pack, length: this.#word(this.#places, entry * placeWords + 2) });
    }
  }

  #isUnused(pack: number): 0 | 1 {
    return this.#unused[pack] === 1 ? 1 : 0;
  }

  #hold<Result>(section: () => Result): Result {
    return this.#mutex.hold(() => {
      if (this.#control[growths] !== this.#seenGrowths) this.#view();
      return section();
    });
  }

  #view(): void {
    this.#ids = wordsOf(this.handle.ids);
    this.#places = wordsOf(this.handle.places);
    this.#buckets = wordsOf(this.handle.buckets);
    this.#seenGrowths = this.#control[growths] ?? 0;
  }

  /** Grows by half, so that growing is rare; untouched memory costs only addresses. */
  #ensureWords(buffer: SharedArrayBuffer, wanted: number): void {
    if (buffer.byteLength >= wanted * 4) return;
    const half = Math.ceil((buffer.byteLength * 1.5) / 64) * 64;
    buffer.grow(Math.min(buffer.maxByteLength, Math.max(wanted * 4, half)));
    this.#control[growths] = (this.#control[growths] ?? 0) + 1;
    this.#view();
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
  #find(type: BlobType, nth: number, passOverUnused: boolean): number {
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
      if (passOverUnused && this.#isUnused(this.#packOf(entry)) === 1) continue;
      if (left === 0) return entry;
      left -= 1;
    }
  }

  /** The place of an entry that is nobody's; its type stays, so that look-ups pass over it in the same way. */
  #emptied(entry: number): number {
    return noPack * 2 + (this.#word(this.#places, entry * placeWords) & 1);
  }

  /** Makes room, so that nothing grows while that many are entered. */
  #reserve(more: number): void {
    const wanted = (this.#control[blobCount] ?? 0) + more;
    if (wanted > maxBlobs) {
      throw new RefloatError("vault.unsupported", `the vault has more than ${maxBlobs} blobs, which is more than fits`);
    }
    this.#ensureWords(this.handle.ids, wanted * idWords);
    this.#ensureWords(this.handle.places, wanted * placeWords);
    if (wanted * 2 > (this.#control[bucketMask] ?? 0) + 1) this.#rehash(2 ** Math.ceil(Math.log2(wanted * 2)));
  }

  /**
   * Gives a claimed blob its place, or enters a new one or another copy. There is room. The hot loop of opening a large vault: one pass
   * over the buckets.
   */
  #put(record: Uint32Array, from: number, pack: number): void {
    const ids = this.#ids;
    const places = this.#places;
    const buckets = this.#buckets;
    const base = this.#control[bucketBase] ?? 0;
    const mask = this.#control[bucketMask] ?? 0;
    const typeBit = record[from + idWords] ?? 0;
    const first = record[from] ?? 0;
    let slot = first & mask;
    let entry = (buckets[base + slot] ?? 0) - 1;
    for (; entry !== -1; slot = (slot + 1) & mask, entry = (buckets[base + slot] ?? 0) - 1) {
      if (ids[entry * idWords] !== first) continue;
      if (places[entry * placeWords] !== claimedPack * 2 + typeBit) continue;
      let word = 1;
      while (word < idWords && ids[entry * idWords + word] === record[from + word]) word += 1;
      if (word === idWords) break;
    }
    if (entry === -1) {
      entry = this.#control[blobCount] ?? 0;
      this.#control[blobCount] = entry + 1;
      buckets[base + slot] = entry + 1;
      for (let word = 0; word < idWords; word += 1) ids[entry * idWords + word] = record[from + word] ?? 0;
    }
    const at = entry * placeWords;
    // Multiplied, not shifted: a shift would make the largest pack number negative.
    places[at] = pack * 2 + typeBit;
    places[at + 1] = record[from + idWords + 1] ?? 0;
    places[at + 2] = record[from + idWords + 2] ?? 0;
    places[at + 3] = record[from + idWords + 3] ?? 0;
  }

  /** Enters all into more buckets, in a fresh region behind the old one: growable memory only grows. */
  #rehash(length: number): void {
    const base = (this.#control[bucketBase] ?? 0) + (this.#control[bucketMask] ?? 0) + 1;
    this.#ensureWords(this.handle.buckets, base + length);
    this.#control[bucketBase] = base;
    this.#control[bucketMask] = length - 1;
    const ids = this.#ids;
    const buckets = this.#buckets;
    const count = this.#control[blobCount] ?? 0;
    for (let entry = 0; entry < count; entry += 1) {
      let slot = (ids[entry * idWords] ?? 0) & (length - 1);
      while (buckets[base + slot] !== 0) slot = (slot + 1) & (length - 1);
      buckets[base + slot] = entry + 1;
    }
  }

  #addPack(packId: string): number {
    const pack = this.#control[packCount] ?? 0;
    if (pack >= maxPacks) throw new RefloatError("vault.unsupported", `the vault has more than ${maxPacks} packs`);
    this.#ensureWords(this.handle.packs, (pack + 1) * idWords);
    Buffer.from(this.handle.packs).write(packId, pack * idWords * 4, "hex");
    this.#control[packCount] = pack + 1;
    return pack;
  }
}

const wordsOf = (buffer: SharedArrayBuffer): Uint32Array => new Uint32Array(buffer, 0, buffer.byteLength / 4);
