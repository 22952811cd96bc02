/** Which revision of each key is the last one. Of a key its hash is held and no name, in tables of typed numbers: two keys of one hash are not to be had. */
import { hash } from "node:crypto";
import type { Revision } from "./key-value.ts";

const wordsPerHash = 4;
const firstSlots = 1024;

const wordsOf = (key: Uint8Array): Uint32Array => {
  const digest = hash("sha256", key, "buffer");
  return Uint32Array.from({ length: wordsPerHash }, (_, index) => digest.readUInt32LE(index * 4));
};

export class LatestRevisions {
  #slots = firstSlots;
  #used = 0;
  #hashes = new Uint32Array(firstSlots * wordsPerHash);
  /** 0 where nothing is: the first revision is 1. */
  #mains = new Float64Array(firstSlots);
  #subs = new Float64Array(firstSlots);

  #slotOf(words: Uint32Array): number {
    let slot = (words[0] ?? 0) % this.#slots;
    while (this.#mains[slot] !== 0) {
      const at = slot * wordsPerHash;
      if (words.every((word, index) => word === this.#hashes[at + index])) break;
      slot = (slot + 1) % this.#slots;
    }
    return slot;
  }

  #put(words: Uint32Array, { main, sub }: Revision): void {
    const slot = this.#slotOf(words);
    if (this.#mains[slot] === 0) this.#used += 1;
    this.#hashes.set(words, slot * wordsPerHash);
    this.#mains[slot] = main;
    this.#subs[slot] = sub;
  }

  #grow(): void {
    const [slots, hashes, mains, subs] = [this.#slots, this.#hashes, this.#mains, this.#subs];
    this.#slots *= 2;
    this.#used = 0;
    this.#hashes = new Uint32Array(this.#slots * wordsPerHash);
    this.#mains = new Float64Array(this.#slots);
    this.#subs = new Float64Array(this.#slots);
    for (let slot = 0; slot < slots; slot += 1) {
      const main = mains[slot] ?? 0;
      if (main === 0) continue;
      const words = hashes.subarray(slot * wordsPerHash, (slot + 1) * wordsPerHash);
      this.#put(words, { main, sub: subs[slot] ?? 0 });
    }
  }

  /** In any order. */
  offer(key: Uint8Array, revision: Revision): void {
    if (this.#used * 4 > this.#slots * 3) this.#grow();
    const words = wordsOf(key);
    const slot = this.#slotOf(words);
    const main = this.#mains[slot] ?? 0;
    if (main < revision.main || (main === revision.main && (this.#subs[slot] ?? 0) < revision.sub))
      this.#put(words, revision);
  }

  /** Which revisions are the last of their keys: no two keys have the same one. */
  revisions(): RevisionSet {
    const found = new RevisionSet(this.#used);
    for (let slot = 0; slot < this.#slots; slot += 1) {
      const main = this.#mains[slot] ?? 0;
      if (main !== 0) found.add({ main, sub: this.#subs[slot] ?? 0 });
    }
    return found;
  }
}

/** Of a number that is known: asked by the revision alone, before anything of a key is read. */
class RevisionSet {
  readonly #slots: number;
  readonly #mains: Float64Array;
  readonly #subs: Float64Array;

  constructor(count: number) {
    this.#slots = 2 ** Math.ceil(Math.log2(count * 2 + 2));
    this.#mains = new Float64Array(this.#slots);
    this.#subs = new Float64Array(this.#slots);
  }

  #slotOf({ main, sub }: Revision): number {
    // Those of one transaction lie apart, and so do transactions one after another.
    let slot = ((main % this.#slots) + ((sub * 40_503) % this.#slots)) % this.#slots;
    while (this.#mains[slot] !== 0 && (this.#mains[slot] !== main || this.#subs[slot] !== sub))
      slot = (slot + 1) % this.#slots;
    return slot;
  }

  add(revision: Revision): void {
    const slot = this.#slotOf(revision);
    this.#mains[slot] = revision.main;
    this.#subs[slot] = revision.sub;
  }

  has(revision: Revision): boolean {
    return this.#mains[this.#slotOf(revision)] === revision.main;
  }
}
