/**
 * Cuts one file's or stream's content into blobs as it comes. The buffer begins small and grows to the longest chunk, so that many
 * small streams at once cost little.
 */
import { releaseMemory } from "../../../platform/release-memory.ts";
import { BoundaryFinder, maxChunkBytes } from "../chunking/chunker.ts";
import type { Kernel } from "../wasm/kernel.ts";

const firstBytes = 64 * 1024;

export class ContentChunker {
  readonly #finder: BoundaryFinder;
  readonly #emit: (chunk: Uint8Array) => void;
  #buffer: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  #filled = 0;

  /** @param emit takes each chunk; its bytes are valid during the call only */
  constructor(kernel: Kernel, polynomial: bigint, emit: (chunk: Uint8Array) => void) {
    this.#finder = new BoundaryFinder(kernel, polynomial);
    this.#emit = emit;
  }

  /** Room for the next bytes, at least `bytes` long (at most 1 MiB); filled by the caller and confirmed by `advance`. */
  room(bytes: number): Buffer {
    const needed = this.#filled + bytes;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(this.#buffer.length * 2, maxChunkBytes + bytes)));
      this.#buffer.copy(grown, 0, 0, this.#filled);
      releaseMemory(this.#buffer);
      this.#buffer = grown;
    }
    return this.#buffer.subarray(this.#filled);
  }

  advance(bytes: number): void {
    this.#filled += bytes;
    let from = 0;
    for (;;) {
      const length = this.#finder.find(this.#buffer.subarray(from, this.#filled));
      if (length === -1) break;
      this.#emit(this.#buffer.subarray(from, from + length));
      from += length;
    }
    if (from > 0) {
      this.#buffer.copyWithin(0, from, this.#filled);
      this.#filled -= from;
    }
  }

  /** Emits what is left and is ready for the next content. */
  end(): void {
    if (this.#filled > 0) this.#emit(this.#buffer.subarray(0, this.#filled));
    this.drop();
  }

  /** Is of no more use, and gives its memory back: the garbage collector would let that of many streams gather. */
  close(): void {
    releaseMemory(this.#buffer);
  }

  /** Forgets what was not emitted, after a failure. */
  drop(): void {
    this.#filled = 0;
    this.#finder.reset();
  }
}
