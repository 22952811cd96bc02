/** An open repository as the source of a copy or a repair: verified blobs, and what the files of its snapshots say. Writes nothing. */
import type { CopySource } from "../../../core/ports/vault-copying.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { BlobReader } from "../blobs/blob-reader.ts";
import { createManyBlobs } from "../blobs/many-blobs.ts";
import { readSnapshotDocument } from "../format/snapshot-file.ts";
import type { RepositoryContext } from "../repository-context.ts";
import type { SnapshotFiles } from "../snapshot-files.ts";

/** The index is loaded. @param release gives up the lock that keeps a prune away */
export const openCopySource = (
  { store, documents, trees, sealer, table, config }: RepositoryContext,
  snapshots: SnapshotFiles,
  release: () => void,
): CopySource => {
  const reader = new BlobReader(store, sealer, table, trees);
  const many = {
    data: createManyBlobs(store, sealer, table, reader),
    tree: createManyBlobs(trees, sealer, table, reader),
  };
  return {
    name: `vault at ${store.location}`,
    vault: config.id,
    read: async (id, type) => {
      try {
        return await reader.read(id, type);
      } catch (error) {
        if (error instanceof RefloatError && error.code === "vault.damaged") return undefined;
        throw error;
      }
    },
    readMany: async (ids, type, take, signal) =>
      many[type](ids, type, async (id, found) => take(id, found instanceof RefloatError ? undefined : found), signal),
    storedBytes: (id, type) => table.locate(id, type)[0]?.length ?? 0,
    snapshot: async (id) => {
      const { file, tree } = await snapshots.read(id);
      return { tree, document: await readSnapshotDocument(documents, sealer, file) };
    },
    release,
  };
};
