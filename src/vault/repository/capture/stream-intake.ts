/**
 * The worker's side of streams: bytes arrive in shared memory, leave as blobs. Several streams at once, each with its own chunker. Cutting takes a
 * tenth of the time of storing, so chunks are handed to another thread while there is room for them on the way.
 */
import { type Hash, createHash } from "node:crypto";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { HandedChunk, StreamContent } from "../threads/calls.ts";
import type { Kernel } from "../wasm/kernel.ts";
import type { BlobSaver } from "./blob-saver.ts";
import type { ChunkParcels } from "./chunk-parcels.ts";
import { ContentChunker } from "./content-chunker.ts";

type Intake = {
  readonly slots: Uint8Array;
  readonly chunker: ContentChunker;
  readonly hash: Hash;
  readonly content: string[];
  /** Nobody has heard of these yet. */
  handed: HandedChunk[];
  /** What is left at the end is stored here. */
  isEnding: boolean;
  sizeBytes: number;
  newBytes: number;
};

/** In the place of a chunk that was handed over. */
const idOfOthers = "0".repeat(64);

export class StreamIntake {
  readonly #saver: BlobSaver;
  readonly #parcels: ChunkParcels;
  readonly #kernel: Kernel;
  readonly #polynomial: bigint;
  readonly #intakes = new Map<number, Intake>();

  constructor(saver: BlobSaver, parcels: ChunkParcels, kernel: Kernel, polynomial: bigint) {
    this.#saver = saver;
    this.#parcels = parcels;
    this.#kernel = kernel;
    this.#polynomial = polynomial;
  }

  open(stream: number, slots: SharedArrayBuffer, mayHandOver: boolean): null {
    const intake: Intake = {
      slots: new Uint8Array(slots),
      chunker: new ContentChunker(this.#kernel, this.#polynomial, (chunk) => {
        const parcel = mayHandOver && !intake.isEnding ? this.#parcels.fill(chunk) : undefined;
        if (parcel === undefined) this.#save(intake, chunk);
        else {
          intake.handed.push({ at: intake.content.length, parcel, length: chunk.length });
          intake.content.push(idOfOthers);
        }
      }),
      hash: createHash("sha256"),
      content: [],
      handed: [],
      isEnding: false,
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

  /** @returns chunks that somebody else has to store, and whose parcels are his from now on */
  handOver(stream: number): readonly HandedChunk[] {
    const intake = this.#require(stream);
    const { handed } = intake;
    intake.handed = [];
    return handed;
  }

  end(stream: number): StreamContent {
    const intake = this.#require(stream);
    intake.isEnding = true;
    intake.chunker.end();
    this.#intakes.delete(stream);
    intake.chunker.close();
    const { sizeBytes, newBytes, hash, content } = intake;
    return { content: Buffer.from(content.join(""), "hex"), sizeBytes, newBytes, sha256: hash.digest("hex") };
  }

  discard(stream: number): null {
    const intake = this.#intakes.get(stream);
    for (const { parcel } of intake?.handed ?? []) this.#parcels.free(parcel);
    intake?.chunker.close();
    this.#intakes.delete(stream);
    return null;
  }

  #save(intake: Intake, chunk: Uint8Array): void {
    const { id, newBytes } = this.#saver.save(chunk, "data");
    intake.content.push(id);
    intake.newBytes += newBytes;
  }

  #require(stream: number): Intake {
    const intake = this.#intakes.get(stream);
    if (intake === undefined) throw new RefloatError("bug", `the vault's worker knows no stream ${stream}`);
    return intake;
  }
}
