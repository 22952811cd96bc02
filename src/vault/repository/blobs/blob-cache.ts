/** Keeps the blobs that were read last, up to a number of bytes; browsing asks for the same trees again and again. */
import type { BlobType } from "../format/pack-header.ts";
import type { BlobSource } from "./blob-reader.ts";

export class BlobCache implements BlobSource {
  readonly #source: BlobSource;
  readonly #maxBytes: number;
  /** In the order of their last use: a Map keeps the order of insertion. */
  readonly #kept = new Map<string, Buffer>();
  #bytes = 0;

  constructor(source: BlobSource, maxBytes: number) {
    this.#source = source;
    this.#maxBytes = maxBytes;
  }

  async read(id: string, type: BlobType): Promise<Buffer> {
    const key = `${type} ${id}`;
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const blob = await this.#source.read(id, type);
    // One that would push out all others is not worth keeping.
    if (blob.length <= this.#maxBytes / 4 && !this.#kept.has(key)) this.#keep(key, blob);
    return blob;
  }

  #keep(key: string, blob: Buffer): void {
    this.#kept.set(key, blob);
    this.#bytes += blob.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
  }
}
