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

/** ZSTD_COMPRESSBOUND, so that a frame comes in one piece. */
export const compressedBound = (plainBytes: number): number => plainBytes + (plainBytes >>> 8) + 128;

/**
 * Writes `plain` as one frame.
 * @param target has room for `compressedBound(plain.length)`
 * @returns the length of the frame
 */
export const compressInto = (plain: Uint8Array, target: Uint8Array): number => {
  const frame = zstdCompressSync(plain, { ...compressionOptions, chunkSize: compressedBound(plain.length) });
  target.set(frame);
  const { length } = frame;
  releaseMemory(frame);
  return length;
};

/**
 * Reads a frame.
 * @param target as long as the content should be
 * @returns the length of the content, which may be shorter
 * @throws what zlib throws when it is no frame, or its content is longer
 */
export const decompressInto = (frame: Uint8Array, target: Uint8Array): number => {
  const plain = zstdDecompressSync(frame, {
    maxOutputLength: target.length,
    chunkSize: Math.max(target.length, leastChunkBytes),
  });
  target.set(plain);
  const { length } = plain;
  releaseMemory(plain);
  return length;
};
