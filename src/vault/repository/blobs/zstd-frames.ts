/**
 * Zstandard frames in memory of the caller's. Node's functions make a context for every call; the handle behind a stream could be used again
 * and would take half of the time, but it is not public, and processes of the tests that used it for many threads crashed now and then.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { releaseMemory } from "../../../platform/release-memory.ts";

/** restic's default; like it, every blob is compressed, also one that does not get smaller. */
const compressionLevel = 3;
const compressionOptions = { params: { [constants.ZSTD_c_compressionLevel]: compressionLevel } };
/** What zlib asks for at least. */
const leastChunkBytes = 64;

/**
 * Copies an answer of zlib and gives its memory back: as much as was asked for, of which the answer is the begin, unless that was so little that it lies in
 * Node's pool. What is left to the garbage collector makes it look at the whole heap after every few megabytes.
 */
const take = (answer: Buffer, asked: number, target: Uint8Array): number => {
  target.set(answer);
  const { buffer, length } = answer;
  if (buffer.byteLength === asked) releaseMemory(new Uint8Array(buffer));
  return length;
};

/** What zlib answers with `info`: how much of what it was given it has used as well. */
type Informed = { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };

/** ZSTD_COMPRESSBOUND, so that a frame comes in one piece. */
export const compressedBound = (plainBytes: number): number => plainBytes + (plainBytes >>> 8) + 128;

/**
 * Writes `plain` as one frame.
 * @param target has room for `compressedBound(plain.length)`
 * @returns the length of the frame
 */
export const compressInto = (plain: Uint8Array, target: Uint8Array): number => {
  const chunkSize = compressedBound(plain.length);
  return take(zstdCompressSync(plain, { ...compressionOptions, chunkSize }), chunkSize, target);
};

/**
 * Reads a frame.
 * @param target as long as the content should be
 * @returns the length of the content, which may be shorter
 * @throws what zlib throws when it is no frame, or its content is longer
 */
export const decompressInto = (frame: Uint8Array, target: Uint8Array): number => {
  // More than the content by one: Node asks for as much again, in vain, when all of it is filled.
  const chunkSize = Math.max(target.length + 1, leastChunkBytes);
  const options = { maxOutputLength: target.length, chunkSize, info: true };
  // The types do not know what `info` makes of the answer.
  const { buffer, engine } = zstdDecompressSync(frame, options) as unknown as Informed;
  if (engine.bytesWritten !== frame.length) throw new RangeError("the content is larger than one frame of it");
  return take(buffer, chunkSize, target);
};
