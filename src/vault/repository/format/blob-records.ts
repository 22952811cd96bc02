/**
 * The blobs of one pack as numbers in one piece of memory, twelve words each, instead of an object each: a million objects cost seconds
 * and hundreds of megabytes. Reused for pack after pack.
 */
import type { BlobType, PackedBlob } from "./pack-header.ts";

const idWords = 8;
export const recordWords = 12;

export class BlobRecords {
  /** For each blob: eight words of its id as its bytes lie, type (0 data, 1 tree), offset, length, plain length. */
  words = new Uint32Array(64 * recordWords);
  #bytes = Buffer.from(this.words.buffer);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  /**
   * Begins the next record with the id that stands in the text as 64 lower-case hex digits.
   * @returns false if it does not; then nothing was begun
   */
  takeHexId(text: Uint8Array, at: number): boolean {
    if ((this.count + 1) * recordWords > this.words.length) this.#grow();
    const bytes = this.#bytes;
    const to = this.count * recordWords * 4;
    // Digits are 0 to 15 and all else is negative, which shows in the sum of all by or.
    let wrong = 0;
    for (let i = 0; i < idWords * 4; i += 1) {
      const high = digits[text[at + 2 * i] ?? 0] ?? -1;
      const low = digits[text[at + 2 * i + 1] ?? 0] ?? -1;
      wrong |= high | low;
      bytes[to + i] = (high << 4) | low;
    }
    return wrong >= 0;
  }

  /** Ends the record. */
  add(type: BlobType, offset: number, length: number, plainLength: number): void {
    const at = this.count * recordWords + idWords;
    this.words[at] = type === "data" ? 0 : 1;
    this.words[at + 1] = offset;
    this.words[at + 2] = length;
    this.words[at + 3] = plainLength;
    this.count += 1;
  }

  blobs(): readonly PackedBlob[] {
    const { words } = this;
    return Array.from({ length: this.count }, (_, record): PackedBlob => {
      const at = record * recordWords;
      const [type = 0, offset = 0, length = 0, plainLength = 0] = words.subarray(at + idWords, at + recordWords);
      const id = this.#bytes.toString("hex", at * 4, (at + idWords) * 4);
      return { id, type: type === 0 ? "data" : "tree", offset, length, plainLength };
    });
  }

  #grow(): void {
    const larger = new Uint32Array(this.words.length * 2);
    larger.set(this.words);
    this.words = larger;
    this.#bytes = Buffer.from(larger.buffer);
  }
}

const digits = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit += 1) digits[digit.toString(16).charCodeAt(0)] = digit;
