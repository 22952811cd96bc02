/** Puts an open repository together from its parts. */
import type { Clock, Log } from "../../core/ports/environment.ts";
import type { Repository } from "../../core/ports/vault.ts";
import { silentLog } from "../../platform/log.ts";
import { BlobCache } from "./blobs/blob-cache.ts";
import { BlobReader } from "./blobs/blob-reader.ts";
import { createBlobTable } from "./blobs/blob-table.ts";
import { SliceReader } from "./blobs/slice-reader.ts";
import { cachedViews } from "./cache/caching-stores.ts";
import { CaptureState } from "./capture/capture-state.ts";
import { createChunkParcels } from "./capture/chunk-parcels.ts";
import { currentOwner } from "./current-owner.ts";
import { readConfig } from "./format/config-file.ts";
import { IndexKeeper } from "./index-keeper.ts";
import { lockOfThisProcess } from "./locks/process-lock.ts";
import { OpenRepository } from "./repository.ts";
import { Sealer } from "./seal/seal.ts";
import type { Store } from "./stores/store.ts";
import { type StoreSettings, packSettings } from "./stores/store-settings.ts";
import { ThreadPool } from "./threads/thread-pool.ts";

export type RepositoryEnvironment = {
  readonly clock: Clock;
  readonly log?: Log;
  /** How the store is reached. */
  readonly settings?: StoreSettings;
  /** The module that worker threads run, when it is not the program's own: tests put faults before the threads' stores. */
  readonly threadEntry?: URL;
  /** How many are to be counted on; those of the machine when left out. */
  readonly processors?: number;
};

const cachedBytes = 32 * 1024 * 1024;

/** Opens what is there. @param openedBy the key file that gave the master key @throws RefloatError vault.damaged, vault.unsupported */
export const assembleRepository = async (
  store: Store,
  masterKey: Buffer,
  { clock, log = silentLog, settings = {}, threadEntry, processors }: RepositoryEnvironment,
  openedBy?: string,
): Promise<Repository> => {
  const sealer = new Sealer(masterKey);
  const config = await readConfig(store, sealer);
  const table = createBlobTable();
  const parcels = createChunkParcels();
  const { documents, trees } = cachedViews(store, settings.cache, log.warn);
  const index = new IndexKeeper(documents, sealer, config.version, table);
  const owner = currentOwner();
  const { version, polynomial } = config;
  const pool = new ThreadPool(
    {
      location: store.location,
      settings: packSettings(settings),
      masterKey,
      version,
      polynomial,
      table: table.handle,
      parcels: parcels.handle,
    },
    { pack: (pack) => index.add(pack) },
    threadEntry,
    processors,
  );
  const lock = lockOfThisProcess({ store, sealer, version, clock, log });
  const reader = new BlobReader(store, sealer, table, trees);
  const blobs = new BlobCache(reader, cachedBytes);
  const slices = new SliceReader(reader);
  return new OpenRepository(
    {
      store,
      documents,
      trees,
      openedBy,
      sealer,
      config,
      table,
      index,
      blobs,
      slices,
      pool,
      parcels,
      lock,
      captures: new CaptureState(),
      clock,
      log,
      owner,
    },
    masterKey,
  );
};
