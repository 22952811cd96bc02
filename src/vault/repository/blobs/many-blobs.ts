/** Many blobs, in whatever order is the cheapest: as they lie in the store, a few large pieces at a time. */
import pLimit from "p-limit";
import { RefloatError } from "../../../model/refloat-error.ts";
import { eachOf } from "../../../platform/each-of.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";
import type { BlobSource } from "./blob-reader.ts";
import type { BlobTable } from "./blob-table.ts";
import { type OrderedBlobs, batchBytes, comparePlaces, createOrderedBlobs } from "./ordered-blobs.ts";

/** Each takes memory for a batch and for the longest blob. */
const batchesAtOnce = 4;

/**
 * @param take told of each once, of up to some at the same time: its bytes, valid until it resolves, or how it is damaged
 * @throws what `take` throws, vault.* but damage
 */
export type ManyBlobs = (
  ids: readonly string[],
  type: BlobType,
  take: (id: string, found: Buffer | RefloatError) => Promise<void>,
  signal: AbortSignal,
) => Promise<void>;

/** @returns the ids in the order in which they lie in the store, cut into what is fetched at once */
const inBatches = (table: BlobTable, ids: readonly string[], type: BlobType): readonly (readonly string[])[] => {
  const placed = ids.map((id) => ({ id, place: table.locate(id, type)[0] }));
  placed.sort((a, b) =>
    a.place === undefined || b.place === undefined
      ? Number(a.place === undefined) - Number(b.place === undefined)
      : comparePlaces(a.place, b.place),
  );
  const batches: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const { id, place } of placed) {
    const length = place?.length ?? 0;
    if (bytes + length > batchBytes) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(id);
    bytes += length;
  }
  return batches;
};

/** @param blobs knows other copies of what cannot be read in its place */
export const createManyBlobs = (store: Store, sealer: Sealer, table: BlobTable, blobs: BlobSource): ManyBlobs => {
  const idle: OrderedBlobs[] = [];
  return async (ids, type, take, signal) =>
    eachOf(inBatches(table, ids, type), pLimit(batchesAtOnce), signal, async (batch) => {
      const ordered = idle.pop() ?? createOrderedBlobs(store, sealer, table, blobs);
      let contents = ordered(batch, type);
      for (const [at, id] of batch.entries()) {
        signal.throwIfAborted();
        let found: Buffer | RefloatError;
        try {
          const next = await contents.next();
          if (next.done === true) throw new RefloatError("bug", "blobs ended early");
          found = next.value;
        } catch (error) {
          if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
          found = error;
          // What has thrown gives nothing more.
          contents = ordered(batch.slice(at + 1), type);
        }
        await take(id, found);
      }
      idle.push(ordered);
    });
};
