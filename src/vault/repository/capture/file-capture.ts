/** Reads one regular file into blobs, in a worker thread, by blocking calls into one buffer. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { RequireGoodPages } from "../../../platform/postgres/page-checks.ts";
import { minChunkBytes } from "../chunking/chunker.ts";
import type { BlobSaver } from "./blob-saver.ts";
import { ContentChunker } from "./content-chunker.ts";
import type { Kernel } from "../wasm/kernel.ts";

const stepBytes = 1024 * 1024;
/** A fifo that took the file's place would block the thread for ever. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export type CapturedFile = {
  readonly content: readonly string[];
  readonly sizeBytes: number;
  readonly newBytes: number;
  /** It was replaced, written to or truncated while it was read: what is stored is what was read. */
  readonly changed: boolean;
};

export class FileCapture {
  readonly #saver: BlobSaver;
  readonly #chunker: ContentChunker;
  /** Content under the least chunk is one blob and needs no search; one byte more tells that the file grew. */
  readonly #small = Buffer.allocUnsafeSlow(minChunkBytes);
  #content: string[] = [];
  #newBytes = 0;

  constructor(saver: BlobSaver, kernel: Kernel, polynomial: bigint) {
    this.#saver = saver;
    this.#chunker = new ContentChunker(kernel, polynomial, (chunk) => this.#save(chunk));
  }

  /**
   * @param before what lstat said
   * @param pause called between steps of a long file
   * @param check looks at each piece before it is stored
   * @throws what the system says, ENOENT among it; what `check` throws
   */
  async capture(
    path: Uint8Array,
    before: BigIntStats,
    pause: (bytes: number) => Promise<void>,
    check: RequireGoodPages | null,
  ): Promise<CapturedFile> {
    this.#content = [];
    this.#newBytes = 0;
    const fd = openSync(Buffer.from(path.buffer, path.byteOffset, path.length), openFlags);
    try {
      const opened = fstatSync(fd, { bigint: true });
      if (!opened.isFile()) return { content: [], sizeBytes: 0, newBytes: 0, changed: true };
      const sizeBytes =
        opened.size < BigInt(minChunkBytes)
          ? this.#readSmall(fd, Number(opened.size), check)
          : await this.#readLarge(fd, pause, check);
      const after = fstatSync(fd, { bigint: true });
      const changed =
        opened.ino !== before.ino ||
        BigInt(sizeBytes) !== after.size ||
        after.mtimeNs !== before.mtimeNs ||
        after.size !== before.size;
      return { content: this.#content, sizeBytes, newBytes: this.#newBytes, changed };
    } finally {
      this.#chunker.drop();
      closeSync(fd);
    }
  }

  #readSmall(fd: number, expected: number, check: RequireGoodPages | null): number {
    let got = 0;
    // A read that returns less than was asked for has met the end of a regular file.
    for (let asked = expected + 1; got < this.#small.length; asked = this.#small.length - got) {
      const bytes = readSync(fd, this.#small, got, Math.min(asked, this.#small.length - got), null);
      got += bytes;
      if (bytes < asked) break;
    }
    if (got === 0) return 0;
    const content = this.#small.subarray(0, got);
    check?.(content, 0, fd);
    this.#save(content);
    return got;
  }

  async #readLarge(
    fd: number,
    pause: (bytes: number) => Promise<void>,
    check: RequireGoodPages | null,
  ): Promise<number> {
    let sizeBytes = 0;
    for (;;) {
      const room = this.#chunker.room(stepBytes);
      const bytes = readSync(fd, room, 0, stepBytes, null);
      if (bytes === 0) break;
      check?.(room.subarray(0, bytes), sizeBytes, fd);
      this.#chunker.advance(bytes);
      sizeBytes += bytes;
      await pause(bytes);
    }
    this.#chunker.end();
    return sizeBytes;
  }

  #save(chunk: Uint8Array): void {
    const { id, newBytes } = this.#saver.save(chunk, "data");
    this.#content.push(id);
    this.#newBytes += newBytes;
  }
}
