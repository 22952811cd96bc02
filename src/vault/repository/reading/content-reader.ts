/** The content of one file, in order, read ahead in the worker threads within bounded memory. */
import type { BlobTable } from "../blobs/blob-table.ts";
import type { BlobSource } from "../blobs/blob-reader.ts";
import { releaseMemory } from "../../../platform/release-memory.ts";
import type { SliceReader } from "../blobs/slice-reader.ts";
import { sealBytes } from "../seal/seal.ts";
import type { ThreadPool } from "../threads/thread-pool.ts";

/** Blobs on their way: 6 MiB on the average, 32 MiB at most. */
const readAhead = 4;

export type ContentRange = { readonly offset: number; readonly length: number };

export type ContentSources = {
  readonly table: BlobTable;
  readonly blobs: BlobSource;
  readonly slices: SliceReader;
  readonly pool: ThreadPool;
};

/** Of a piece of a file. @returns the plain length without reading the blob; undefined if the blob is not known */
export const plainLength = (table: BlobTable, id: string): number | undefined => {
  const [place] = table.locate(id, "data");
  return place === undefined ? undefined : place.plainLength > 0 ? place.plainLength : place.length - sealBytes;
};

type Part = { readonly id: string; readonly skip: number; readonly take: number };

/** The blobs that a range touches, with what is wanted of each. */
const partsOf = (content: readonly string[], range: ContentRange | undefined, table: BlobTable): readonly Part[] => {
  if (range === undefined) return content.map((id) => ({ id, skip: 0, take: Number.POSITIVE_INFINITY }));
  const parts: Part[] = [];
  const end = range.offset + range.length;
  let at = 0;
  for (const id of content) {
    if (at >= end) break;
    // An unknown blob is read all the same, so that the reader names it as missing.
    const length = plainLength(table, id);
    if (length === undefined) return [{ id, skip: 0, take: 0 }];
    if (at + length > range.offset) {
      const skip = Math.max(range.offset - at, 0);
      parts.push({ id, skip, take: Math.min(length, end - at) - skip });
    }
    at += length;
  }
  return parts;
};

/** Whoever gives a chunk on to a socket is told when it is gone only if it is larger than what the socket takes at once. */
const leastReleased = 256 * 1024;

/**
 * @param transient whoever asks for the next chunk is done with the last one
 * @throws RefloatError vault.damaged
 */
export async function* readContent(
  content: readonly string[],
  range: ContentRange | undefined,
  { table, blobs, slices, pool }: ContentSources,
  transient = false,
): AsyncGenerator<Uint8Array> {
  const parts = partsOf(content, range, table);
  const cut = (blob: Uint8Array, { skip, take }: Part): Uint8Array =>
    blob.subarray(skip, Math.min(skip + take, blob.length));
  const [only, second] = parts;
  if (only !== undefined && second === undefined) {
    // One blob is read at once here: a thread would add its start, or at least a round trip.
    yield range === undefined
      ? cut(await blobs.read(only.id, "data"), only)
      : await slices.read(only.id, only.skip, only.take);
    return;
  }
  const coming: Promise<Uint8Array>[] = [];
  let next = 0;
  const ask = (): void => {
    const part = parts[next];
    if (part === undefined) return;
    next += 1;
    const blob = pool.leastLoaded().call("read-blob", { id: part.id, type: "data" });
    // It is awaited in its turn; if the reader stops before, nobody hears of it.
    blob.catch(() => undefined);
    coming.push(blob);
  };
  for (let ahead = 0; ahead < readAhead; ahead += 1) ask();
  for (const part of parts) {
    const blob = await coming.shift();
    if (blob === undefined) return;
    ask();
    yield cut(blob, part);
    if (transient && blob.length >= leastReleased) releaseMemory(blob);
  }
}
