/** The worker's side of streams: bytes arrive in shared memory, leave as blobs. Several streams at once, each with its own chunker. */
import { type Hash, createHash } from "node:crypto";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { StreamContent } from "../threads/calls.ts";
import type { Kernel } from "../wasm/kernel.ts";
import type { BlobSaver } from "./blob-saver.ts";
import { ContentChunker } from "./content-chunker.ts";

type Intake = {
  readonly slots: Uint8Array;
  readonly chunker: ContentChunker;
  readonly hash: Hash;
  readonly content: string[];
  sizeBytes: number;
  newBytes: number;
};

export class StreamIntake {
  readonly #saver: BlobSaver;
  readonly #kernel: Kernel;
  readonly #polynomial: bigint;
  readonly #intakes = new Map<number, Intake>();

  constructor(saver: BlobSaver, kernel: Kernel, polynomial: bigint) {
    this.#saver = saver;
    this.#kernel = kernel;
    this.#polynomial = polynomial;
  }

  open(stream: number, slots: SharedArrayBuffer): null {
    const intake: Intake = {
      slots: new Uint8Array(slots),
      chunker: new ContentChunker(this.#kernel, this.#polynomial, (chunk) => {
        const { id, newBytes } = this.#saver.save(chunk, "data");
        intake.content.push(id);
        intake.newBytes += newBytes;
      }),
      hash: createHash("sha256"),
      content: [],
      sizeBytes: 0,
      newBytes: 0,
    };
    this.#intakes.set(stream, intake);
    return null;
  }

  take(stream: number, offset: number, length: number): void {
    const intake = this.#require(stream);
    // Out of shared memory first: what is hashed, chunked and stored is then one and the same.
    const room = intake.chunker.room(length).subarray(0, length);
    room.set(intake.slots.subarray(offset, offset + length));
    intake.hash.update(room);
    intake.chunker.advance(length);
    intake.sizeBytes += length;
  }

  end(stream: number): StreamContent {
    const intake = this.#require(stream);
    intake.chunker.end();
    this.#intakes.delete(stream);
    const { sizeBytes, newBytes, hash, content } = intake;
    return { content: Buffer.from(content.join(""), "hex"), sizeBytes, newBytes, sha256: hash.digest("hex") };
  }

  discard(stream: number): null {
    this.#intakes.delete(stream);
    return null;
  }

  #require(stream: number): Intake {
    const intake = this.#intakes.get(stream);
    if (intake === undefined) throw new RefloatError("bug", `the vault's worker knows no stream ${stream}`);
    return intake;
  }
}
