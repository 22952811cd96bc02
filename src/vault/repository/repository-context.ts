/** What the parts of an open repository share. */
import type { Clock, Log } from "../../core/ports/environment.ts";
import type { BlobSource } from "./blobs/blob-reader.ts";
import type { BlobTable } from "./blobs/blob-table.ts";
import type { SliceReader } from "./blobs/slice-reader.ts";
import type { CaptureState } from "./capture/capture-state.ts";
import type { ChunkParcels } from "./capture/chunk-parcels.ts";
import type { StoredConfig } from "./format/config-file.ts";
import type { RepositoryOwner } from "./current-owner.ts";
import type { IndexKeeper } from "./index-keeper.ts";
import type { RepositoryLock } from "./locks/repository-lock.ts";
import type { Sealer } from "./seal/seal.ts";
import type { Store } from "./stores/store.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ThreadPool } from "./threads/thread-pool.ts";

export type RepositoryContext = {
  /** The vault as it is: what is verified, locked and changed. */
  readonly store: Store;
  /** Indexes and snapshots, from nearby where they are. */
  readonly documents: Store;
  readonly trees: Store;
  /** The key file that has opened it, where that is known. */
  readonly openedBy: string | undefined;
  readonly sealer: Sealer;
  readonly config: StoredConfig;
  readonly table: BlobTable;
  readonly index: IndexKeeper;
  readonly blobs: BlobSource;
  readonly slices: SliceReader;
  readonly pool: ThreadPool;
  readonly parcels: ChunkParcels;
  readonly lock: RepositoryLock;
  readonly captures: CaptureState;
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: RepositoryOwner;
};

/** @throws RefloatError vault.unsupported */
export const requireWritable = ({ config, store }: Pick<RepositoryContext, "config" | "store">): void => {
  if (config.version !== 1) return;
  throw new RefloatError("vault.unsupported", `the vault at ${store.location} is of version 1, which is only read`, {
    hint: "`restic migrate upgrade_repo_v2` makes it a vault of version 2",
  });
};
