/**
 * Small parts of blobs. A whole blob has to be opened and hashed for each, so the last ones are kept; they never leave here, only copies do,
 * so that the next blob can be opened in the memory of the oldest.
 */
import type { BlobReader } from "./blob-reader.ts";
import { Scratch } from "./scratch.ts";

/** Each grows to the longest blob that it held, at most some 10 MB. */
const mostKept = 4;

type Kept = { readonly memory: Scratch; readonly blob: Buffer };

export class SliceReader {
  readonly #source: Pick<BlobReader, "readInto">;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();

  constructor(source: Pick<BlobReader, "readInto">) {
    this.#source = source;
  }

  /** @throws RefloatError vault.damaged */
  async read(id: string, skip: number, take: number): Promise<Buffer> {
    const known = this.#kept.get(id);
    if (known !== undefined) {
      this.#kept.delete(id);
      this.#kept.set(id, known);
      return Buffer.from(known.blob.subarray(skip, skip + take));
    }
    const memory = this.#free();
    const blob = await this.#source.readInto(id, "data", memory);
    // Another read of the same blob may have come first.
    if (!this.#kept.has(id)) this.#kept.set(id, { memory, blob });
    return Buffer.from(blob.subarray(skip, skip + take));
  }

  /** That of the oldest, once there are enough; reads at the same time may have kept one more each. */
  #free(): Scratch {
    let free: Scratch | undefined;
    for (const [id, { memory }] of this.#kept) {
      if (this.#kept.size < mostKept) break;
      this.#kept.delete(id);
      free = memory;
    }
    return free ?? new Scratch();
  }
}
