/**
 * Gathers blobs of one type into packs of about 16 MiB. Sealed blobs go straight to the store's pending file, so that no more than one
 * blob is in memory; a finished pack is flushed to disk while the next one fills.
 */
import { type Hash, createHash } from "node:crypto";
import { type BlobType, type PackedBlob, encodePackHeader } from "../format/pack-header.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { type Sealer, sealBytes } from "../seal/seal.ts";
import type { PendingFile, Store } from "../stores/store.ts";
import { Scratch } from "./scratch.ts";
import { compressInto, compressedBound } from "./zstd-frames.ts";

const packBytes = 16 * 1024 * 1024;
/** Well below what the header of 16 MiB can name. */
const maxPackBlobs = 100_000;
/** Of the thread: between two calls nothing lies in them. */
const frames = new Scratch();
const sealedBlobs = new Scratch();

export type PackWriterOptions = {
  readonly type: BlobType;
  readonly store: Store;
  readonly sealer: Sealer;
  /** Told of each pack once it is durable. */
  readonly finished: (pack: IndexedPack) => void;
};

type OpenPack = { readonly file: PendingFile; readonly hash: Hash; readonly blobs: PackedBlob[]; length: number };

export class PackWriter {
  readonly #options: PackWriterOptions;
  readonly #flushing = new Set<Promise<void>>();
  #open: OpenPack | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /** How many finished packs are on their way to disk: the caller waits when there are many. */
  get flushes(): number {
    return this.#flushing.size;
  }

  /**
   * @returns how many bytes the blob takes in the pack
   * @throws what the store throws; then, and for ever after, since the blob was claimed and is in no pack
   */
  add(id: string, plain: Uint8Array): number {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      return this.#add(id, plain);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  #add(id: string, plain: Uint8Array): number {
    const frame = frames.room(compressedBound(plain.length));
    const frameBytes = compressInto(plain, frame);
    const sealed = sealedBlobs.room(frameBytes + sealBytes);
    this.#options.sealer.sealInto(frame.subarray(0, frameBytes), sealed);
    const pack = (this.#open ??= this.#begin());
    pack.file.append(sealed);
    pack.hash.update(sealed);
    pack.blobs.push({
      id,
      type: this.#options.type,
      offset: pack.length,
      length: sealed.length,
      plainLength: plain.length,
    });
    pack.length += sealed.length;
    if (pack.length >= packBytes || pack.blobs.length >= maxPackBlobs) this.#finish(pack);
    return sealed.length;
  }

  /** Resolves when at most `most` finished packs are still on their way. @throws what the store threw */
  async settle(most: number): Promise<void> {
    while (this.#flushing.size > most) await Promise.race(this.#flushing);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Finishes the open pack and waits until all are durable. */
  async flush(): Promise<void> {
    if (this.#open !== undefined) this.#finish(this.#open);
    await this.settle(0);
  }

  /** Drops the open pack, waits for those on their way, and forgets a failure. */
  async drop(): Promise<void> {
    this.#open?.file.discard();
    this.#open = undefined;
    await Promise.all(this.#flushing);
    this.#failure = undefined;
  }

  #begin(): OpenPack {
    return { file: this.#options.store.begin("data"), hash: createHash("sha256"), blobs: [], length: 0 };
  }

  #finish(pack: OpenPack): void {
    this.#open = undefined;
    const flush = this.#write(pack).catch((error: unknown) => {
      this.#failure ??= { error };
      pack.file.discard();
    });
    this.#flushing.add(flush);
    void flush.finally(() => this.#flushing.delete(flush));
  }

  async #write(pack: OpenPack): Promise<void> {
    const header = encodePackHeader(pack.blobs, this.#options.sealer);
    pack.file.append(header);
    const id = pack.hash.update(header).digest("hex");
    await pack.file.finish(id);
    this.#options.finished({ id, blobs: pack.blobs });
  }
}
