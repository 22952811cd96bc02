/** The main thread's side of a stream: fills a ring of slots in shared memory, waits when the worker lags, so memory stays bounded. */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { StreamContent } from "../threads/calls.ts";
import type { Thread } from "../threads/thread-pool.ts";

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

export class StreamFeed {
  readonly #thread: Thread;
  readonly #stream: number;
  readonly #ring: Uint8Array;
  /** For each slot the worker's answer that it may be filled again. */
  readonly #taken: Promise<unknown>[] = Array.from({ length: slotCount }, () => Promise.resolve());
  #slot = 0;
  #filled = 0;

  constructor(thread: Thread, stream: number, ring: SharedArrayBuffer) {
    this.#thread = thread;
    this.#stream = stream;
    this.#ring = new Uint8Array(ring);
  }

  async pump(bytes: ByteStream, told: (bytes: number) => void): Promise<void> {
    for await (const chunk of bytes) {
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
  }

  async end(): Promise<StreamContent> {
    return this.#thread.call("stream-end", { stream: this.#stream });
  }

  #send(): void {
    const taken = this.#thread.call("stream-bytes", {
      stream: this.#stream,
      offset: this.#slot * slotBytes,
      length: this.#filled,
    });
    // Awaited before the slot is filled again; until then a failure must not count as unhandled.
    taken.catch(() => undefined);
    this.#taken[this.#slot] = taken;
    this.#slot = (this.#slot + 1) % slotCount;
    this.#filled = 0;
  }
}
