/** Index files: which blob lies where. Written after the packs and before the snapshot that needs them. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { releaseMemory } from "../../../platform/release-memory.ts";
import type { Sealer } from "../seal/seal.ts";
import { type Store, StoreFileMissing } from "../stores/store.ts";
import { IndexScanner, MalformedIndex, type ScannedPack } from "./index-scanner.ts";
import type { PackedBlob } from "./pack-header.ts";
import { type RepositoryVersion, damagedFile, readUnpacked, writeUnpacked } from "./unpacked-file.ts";
import { type UnusedRecord, decodeUnusedRecord } from "./unused-record.ts";

export type IndexedPack = { readonly id: string; readonly blobs: readonly PackedBlob[] };

/** restic writes an index at about this many blobs. */
const maxIndexBlobs = 50_000;

export const encodeIndex = (packs: readonly IndexedPack[]): Buffer => {
  const file = {
    packs: packs.map((pack) => ({
      id: pack.id,
      blobs: pack.blobs.map(({ id, type, offset, length, plainLength }) => ({
        id,
        type,
        offset,
        length,
        ...(plainLength > 0 ? { uncompressed_length: plainLength } : {}),
      })),
    })),
  };
  return Buffer.from(JSON.stringify(file));
};

/** As many packs as one index takes, each time. */
export function* indexParts(packs: readonly IndexedPack[]): Generator<readonly IndexedPack[]> {
  let part: IndexedPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    if (part.length > 0 && blobs + pack.blobs.length > maxIndexBlobs) {
      yield part;
      part = [];
      blobs = 0;
    }
    part.push(pack);
    blobs += pack.blobs.length;
  }
  if (part.length > 0) yield part;
}

export const writeIndex = async (
  store: Pick<Store, "write">,
  sealer: Sealer,
  version: RepositoryVersion,
  packs: readonly IndexedPack[],
): Promise<string> => writeUnpacked(store, sealer, version, "index", encodeIndex(packs));

/** Takes the packs of an index that was read, their blobs as numbers. @throws RefloatError vault.damaged */
const scanText = (id: string, json: Buffer, take: (pack: ScannedPack) => void): void => {
  try {
    for (const pack of new IndexScanner(json).scan()) take(pack);
  } catch (error) {
    if (!(error instanceof MalformedIndex)) throw error;
    throw damagedFile("index", id, `is not of the format: ${error.message}`, error);
  }
  releaseMemory(json);
};

/**
 * Gives each pack of several indexes to `take`, one index after the other in the order of their names here; the next is fetched and
 * decompressed while one is taken.
 * @param damaged told of an index that cannot be read; without it the first such ends all
 * @param takeRecord for files that name unused packs instead
 * @throws RefloatError vault.damaged, StoreFileMissing
 */
export const scanIndexes = async (
  store: Store,
  sealer: Sealer,
  ids: readonly string[],
  take: (pack: ScannedPack, index: string) => void,
  damaged?: (index: string, error: RefloatError) => void,
  takeRecord?: (record: UnusedRecord, index: string) => void,
): Promise<void> => {
  const fetch = (id: string | undefined) => {
    const reading = id === undefined ? undefined : readUnpacked(store, sealer, "index", id);
    // Awaited in its turn, which never comes if the one before fails.
    reading?.catch(() => undefined);
    return reading;
  };
  let next = fetch(ids[0]);
  for (const [at, id] of ids.entries()) {
    const current = next;
    try {
      const json = await current;
      next = fetch(ids[at + 1]);
      const record = json === undefined ? undefined : decodeUnusedRecord(json, id);
      if (record !== undefined) takeRecord?.(record, id);
      else if (json !== undefined) scanText(id, json, (pack) => take(pack, id));
    } catch (error) {
      const isDamage = error instanceof RefloatError && error.code === "vault.damaged";
      if (damaged === undefined || !isDamage || error instanceof StoreFileMissing) throw error;
      damaged(id, error);
      if (next === current) next = fetch(ids[at + 1]);
    }
  }
};

/**
 * Gives each pack of an index to `take`, its blobs as objects.
 * @throws RefloatError vault.damaged, StoreFileMissing
 */
export const readIndex = async (
  store: Store,
  sealer: Sealer,
  id: string,
  take: (pack: IndexedPack) => void,
  takeRecord?: (record: UnusedRecord) => void,
): Promise<void> =>
  scanIndexes(
    store,
    sealer,
    [id],
    ({ id: packId, records }) => take({ id: packId, blobs: records.blobs() }),
    undefined,
    takeRecord,
  );
