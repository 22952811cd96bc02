/**
 * Chunks on their way from the thread that cuts a stream to one that has a hand free: a few pieces of shared memory for all threads of a repository. A
 * thread that finds none free keeps its chunk and stores it itself, so that nobody ever waits for one, and memory stays bounded.
 */
import { maxChunkBytes } from "../chunking/chunker.ts";

/** One is worked at, one waits, one is being filled. */
const parcelCount = 3;
const free = 0;
const taken = 1;

/** Structured-cloneable: what another thread needs to open the same parcels. */
export type ChunkParcelsHandle = {
  /** A word for each: is it taken? */
  readonly states: SharedArrayBuffer;
  /** Each takes the longest chunk; pages that nobody writes to take no memory. */
  readonly memory: readonly SharedArrayBuffer[];
};

export const createChunkParcels = (): ChunkParcels =>
  new ChunkParcels({
    states: new SharedArrayBuffer(parcelCount * Int32Array.BYTES_PER_ELEMENT),
    memory: Array.from({ length: parcelCount }, () => new SharedArrayBuffer(maxChunkBytes)),
  });

export class ChunkParcels {
  readonly handle: ChunkParcelsHandle;
  readonly #states: Int32Array;
  readonly #memory: readonly Uint8Array[];

  constructor(handle: ChunkParcelsHandle) {
    this.handle = handle;
    this.#states = new Int32Array(handle.states);
    this.#memory = handle.memory.map((memory) => new Uint8Array(memory));
  }

  /** Copies a chunk. @returns the number of the parcel, which is the caller's until it is freed; undefined when all are taken */
  fill(chunk: Uint8Array): number | undefined {
    for (const [parcel, memory] of this.#memory.entries()) {
      if (Atomics.compareExchange(this.#states, parcel, free, taken) !== free) continue;
      memory.set(chunk);
      return parcel;
    }
    return undefined;
  }

  /** @returns its chunk, valid until it is freed */
  open(parcel: number, length: number): Uint8Array {
    return (this.#memory[parcel] ?? new Uint8Array()).subarray(0, length);
  }

  free(parcel: number): void {
    Atomics.store(this.#states, parcel, free);
  }
}
