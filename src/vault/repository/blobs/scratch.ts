/**
 * Memory that is used again and again. Memory asked for anew for each blob is given to the process page by page, which for large ones
 * takes as long as what is done with them.
 */

/** The longest chunk and what packing adds to it; what is longer is rare and gets memory of its own. */
const mostKeptBytes = 10 * 1024 * 1024;

export class Scratch {
  #memory = Buffer.allocUnsafeSlow(64 * 1024);

  /** @returns memory with whatever it held before, valid until the next call */
  room(bytes: number): Buffer {
    if (bytes > mostKeptBytes) return Buffer.allocUnsafeSlow(bytes);
    if (bytes > this.#memory.length) {
      this.#memory = Buffer.allocUnsafeSlow(Math.min(mostKeptBytes, Math.max(bytes, this.#memory.length * 2)));
    }
    return this.#memory.subarray(0, bytes);
  }
}
