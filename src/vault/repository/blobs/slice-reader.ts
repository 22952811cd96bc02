/**
 * Small parts of blobs. A whole blob has to be opened and hashed for each, so the last ones are kept; they never leave here, only copies do,
 * so that their memory can be given back at once instead of being left to the garbage collector.
 */
import type { BlobSource } from "./blob-reader.ts";
import { releaseMemory } from "./release-memory.ts";

export class SliceReader {
  readonly #source: BlobSource;
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Buffer>();
  #bytes = 0;

  /** @param source gives each blob in memory of its own */
  constructor(source: BlobSource, maxBytes: number) {
    this.#source = source;
    this.#maxBytes = maxBytes;
  }

  /** @throws RefloatError vault.damaged */
  async read(id: string, skip: number, take: number): Promise<Buffer> {
    const known = this.#kept.get(id);
    if (known !== undefined) {
      this.#kept.delete(id);
      this.#kept.set(id, known);
      return Buffer.from(known.subarray(skip, skip + take));
    }
    const blob = await this.#source.read(id, "data");
    const slice = Buffer.from(blob.subarray(skip, skip + take));
    this.#keep(id, blob);
    return slice;
  }

  #keep(id: string, blob: Buffer): void {
    // Another read of the same blob may have come first; one that fills the room alone is not worth keeping.
    if (this.#kept.has(id) || blob.length > this.#maxBytes / 2) {
      releaseMemory(blob);
      return;
    }
    this.#kept.set(id, blob);
    this.#bytes += blob.length;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= old.length;
      releaseMemory(old);
    }
  }
}
