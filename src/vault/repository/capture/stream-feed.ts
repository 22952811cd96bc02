/**
 * The main thread's side of a stream: fills a ring of slots in shared memory, waits when the worker lags, so memory stays bounded. Chunks that the worker
 * hands over go to another one, and their ids to their places in the end.
 */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { HandedChunk, StreamContent } from "../threads/calls.ts";
import type { Thread, ThreadPool } from "../threads/thread-pool.ts";
import type { ChunkParcels } from "./chunk-parcels.ts";

const slotBytes = 256 * 1024;
const slotCount = 4;

/** Rings are used again: a database has thousands of small tables. */
export class SlotRings {
  readonly #free: SharedArrayBuffer[] = [];

  take(): SharedArrayBuffer {
    return this.#free.pop() ?? new SharedArrayBuffer(slotBytes * slotCount);
  }

  give(ring: SharedArrayBuffer): void {
    if (this.#free.length < 16) this.#free.push(ring);
  }
}

type SavedChunk = { readonly at: number; readonly id: string };

export class StreamFeed {
  readonly #pool: ThreadPool;
  readonly #parcels: ChunkParcels;
  readonly #thread: Thread;
  readonly #stream: number;
  readonly #ring: Uint8Array;
  /** For each slot the worker's answer that it may be filled again. */
  readonly #taken: Promise<unknown>[] = Array.from({ length: slotCount }, () => Promise.resolve());
  #slot = 0;
  #filled = 0;
  readonly #saving = new Set<Promise<void>>();
  readonly #saved: SavedChunk[] = [];
  #savedNewBytes = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    { pool, parcels }: { readonly pool: ThreadPool; readonly parcels: ChunkParcels },
    thread: Thread,
    stream: number,
    ring: SharedArrayBuffer,
  ) {
    this.#pool = pool;
    this.#parcels = parcels;
    this.#thread = thread;
    this.#stream = stream;
    this.#ring = new Uint8Array(ring);
  }

  async pump(bytes: ByteStream, told: (bytes: number) => void): Promise<void> {
    for await (const chunk of bytes) {
      if (this.#failure !== undefined) throw this.#failure.error;
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + slotBytes - this.#filled);
        if (this.#filled === 0) await this.#taken[this.#slot];
        this.#ring.set(part, this.#slot * slotBytes + this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === slotBytes) this.#send();
      }
      told(chunk.length);
    }
    if (this.#filled > 0) this.#send();
    await Promise.all(this.#taken);
    await Promise.all(this.#saving);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async end(): Promise<StreamContent> {
    const own = await this.#thread.call("stream-end", { stream: this.#stream });
    const content = Buffer.from(own.content.buffer, own.content.byteOffset, own.content.length);
    for (const { at, id } of this.#saved) content.write(id, at * 32, "hex");
    return { ...own, content, newBytes: own.newBytes + this.#savedNewBytes };
  }

  #send(): void {
    const request = { stream: this.#stream, offset: this.#slot * slotBytes, length: this.#filled };
    const taken = this.#thread.call("stream-bytes", request).then(({ handed }) => {
      for (const chunk of handed) this.#handOn(chunk);
    });
    // Awaited before the slot is filled again; until then a failure must not count as unhandled.
    taken.catch(() => undefined);
    this.#taken[this.#slot] = taken;
    this.#slot = (this.#slot + 1) % slotCount;
    this.#filled = 0;
  }

  #handOn({ at, parcel, length }: HandedChunk): void {
    const act = async (): Promise<void> => {
      try {
        const { id, newBytes } = await this.#pool.besides(this.#thread).call("save-chunk", { parcel, length });
        this.#saved.push({ at, id });
        this.#savedNewBytes += newBytes;
      } catch (error) {
        this.#failure ??= { error };
      } finally {
        this.#parcels.free(parcel);
      }
    };
    const saving = act().finally(() => this.#saving.delete(saving));
    this.#saving.add(saving);
  }
}
