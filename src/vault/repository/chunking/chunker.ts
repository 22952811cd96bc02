/**
 * Content-defined chunking as restic does it: a cut lies where the Rabin fingerprint of the last 64 bytes has its low 20 bits
 * zero, at the earliest after 512 KiB and at the latest after 8 MiB. Equal content is cut equally by both programs.
 */
import { type Kernel, windowBytes } from "../wasm/kernel.ts";

export const minChunkBytes = 512 * 1024;
export const maxChunkBytes = 8 * 1024 * 1024;

/** Finds the end of one chunk after the other. The caller owns the bytes; between calls only positions are kept. */
export class BoundaryFinder {
  readonly #kernel: Kernel;
  readonly #polynomial: bigint;
  /** Shortest length of the current chunk that has not been looked at. */
  #candidate = minChunkBytes;

  constructor(kernel: Kernel, polynomial: bigint) {
    this.#kernel = kernel;
    this.#polynomial = polynomial;
  }

  /**
   * @param chunk what is there of the current chunk, from its first byte; never shorter than in the call before
   * @returns the length of the chunk, or -1 when more bytes are needed to tell
   */
  find(chunk: Uint8Array): number {
    const limit = Math.min(chunk.length, maxChunkBytes);
    if (limit >= this.#candidate) {
      const from = this.#candidate - windowBytes;
      this.#kernel.setPolynomial(this.#polynomial);
      const end = this.#kernel.findBoundary(chunk.subarray(from, limit));
      if (end !== -1) return this.#cut(from + end);
      this.#candidate = limit + 1;
    }
    return chunk.length >= maxChunkBytes ? this.#cut(maxChunkBytes) : -1;
  }

  /** Begins a new chunk, after the end of the input. */
  reset(): void {
    this.#candidate = minChunkBytes;
  }

  #cut(length: number): number {
    this.reset();
    return length;
  }
}
