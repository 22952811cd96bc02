/** An open repository as the source of a copy or a repair: verified blobs, and what the files of its snapshots say. Writes nothing. */
import type { CopySource } from "../../../core/ports/vault-copying.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import pLimit from "p-limit";
import { BlobReader } from "../blobs/blob-reader.ts";
import type { BlobTable } from "../blobs/blob-table.ts";
import { type OrderedBlobs, batchBytes, comparePlaces, createOrderedBlobs } from "../blobs/ordered-blobs.ts";
import { eachOf } from "../each-of.ts";
import { readSnapshotDocument } from "../format/snapshot-file.ts";
import type { RepositoryContext } from "../repository-context.ts";
import type { SnapshotFiles } from "../snapshot-files.ts";

/** Each takes memory for a batch and for the longest blob. */
const batchesAtOnce = 4;

/** @returns the ids in the order in which they lie in the store, cut into what is fetched at once */
const inBatches = (table: BlobTable, ids: readonly string[]): readonly (readonly string[])[] => {
  const placed = ids.map((id) => ({ id, place: table.locate(id, "data")[0] }));
  placed.sort((a, b) =>
    a.place === undefined || b.place === undefined
      ? Number(a.place === undefined) - Number(b.place === undefined)
      : comparePlaces(a.place, b.place),
  );
  const batches: string[][] = [];
  let bytes = batchBytes;
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

const ifDamaged = <Value>(reading: Promise<Value>): Promise<Value | undefined> =>
  reading.catch((error: unknown) => {
    if (error instanceof RefloatError && error.code === "vault.damaged") return undefined;
    throw error;
  });

/** The index is loaded. @param release gives up the lock that keeps a prune away */
export const openCopySource = (
  { store, documents, trees, sealer, table, config }: RepositoryContext,
  snapshots: SnapshotFiles,
  release: () => void,
): CopySource => {
  const reader = new BlobReader(store, sealer, table, trees);
  const idle: OrderedBlobs[] = [];
  return {
    name: `vault at ${store.location}`,
    vault: config.id,
    read: async (id, type) => ifDamaged(reader.read(id, type)),
    readMany: async (ids, take, signal) =>
      eachOf(inBatches(table, ids), pLimit(batchesAtOnce), signal, async (batch) => {
        const ordered = idle.pop() ?? createOrderedBlobs(store, sealer, table, reader);
        const contents = ordered(batch);
        for (const id of batch) {
          signal.throwIfAborted();
          // After damage it has nothing more to give, and the rest is read one by one.
          const next = await ifDamaged(contents.next());
          await take(id, next?.done === false ? next.value : await ifDamaged(reader.read(id, "data")));
        }
        idle.push(ordered);
      }),
    storedBytes: (id, type) => table.locate(id, type)[0]?.length ?? 0,
    snapshot: async (id) => {
      const { file, tree } = await snapshots.read(id);
      return { tree, document: await readSnapshotDocument(documents, sealer, file) };
    },
    release,
  };
};
