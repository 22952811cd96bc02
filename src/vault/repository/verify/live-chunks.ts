/**
 * Finds blobs in files as they are now: a file that has not changed since its capture is cut into the same chunks, and a chunk is what was
 * lost when its SHA-256 says so. Nothing of the file is believed beyond that.
 */
import { hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { BlobCopies } from "../../../core/ports/vault-copying.ts";
import { ContentChunker } from "../capture/content-chunker.ts";
import { Kernel } from "../wasm/kernel.ts";

const stepBytes = 1024 * 1024;

type Place = { readonly file: string; readonly offset: number; readonly length: number };

const chunksOf = async (
  file: FileHandle,
  kernel: Kernel,
  polynomial: bigint,
  take: (id: string, offset: number, length: number) => void,
): Promise<void> => {
  let at = 0;
  const chunker = new ContentChunker(kernel, polynomial, (chunk) => {
    take(hash("sha256", chunk, "hex"), at, chunk.length);
    at += chunk.length;
  });
  for (let read = 0; ;) {
    const { bytesRead } = await file.read(chunker.room(stepBytes), 0, stepBytes, read);
    if (bytesRead === 0) break;
    read += bytesRead;
    chunker.advance(bytesRead);
  }
  chunker.end();
};

/** @param files absolute paths; those that cannot be read have nothing to give */
export const openLiveFiles = async (
  files: readonly string[],
  polynomial: bigint,
  signal: AbortSignal,
): Promise<BlobCopies> => {
  const kernel = new Kernel();
  const places = new Map<string, Place>();
  for (const path of files) {
    signal.throwIfAborted();
    const file = await open(path, "r").catch(() => undefined);
    if (file === undefined) continue;
    try {
      if (!(await file.stat()).isFile()) continue;
      await chunksOf(file, kernel, polynomial, (id, offset, length) => places.set(id, { file: path, offset, length }));
    } catch {
      // A disk that fails here is the source's trouble, not the vault's.
    } finally {
      await file.close();
    }
  }
  return {
    name: "live files",
    read: async (id, type) => {
      const place = type === "data" ? places.get(id) : undefined;
      if (place === undefined) return undefined;
      const file = await open(place.file, "r").catch(() => undefined);
      if (file === undefined) return undefined;
      try {
        const bytes = Buffer.alloc(place.length);
        const { bytesRead } = await file.read(bytes, 0, place.length, place.offset);
        // It may have been written since it was looked at.
        return bytesRead === place.length && hash("sha256", bytes, "hex") === id ? bytes : undefined;
      } finally {
        await file.close();
      }
    },
  };
};
