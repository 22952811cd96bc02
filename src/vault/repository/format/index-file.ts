/** Index files: which blob lies where. Written after the packs and before the snapshot that needs them. */
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";
import { IndexScanner, MalformedIndex } from "./index-scanner.ts";
import type { PackedBlob } from "./pack-header.ts";
import { type RepositoryVersion, damagedFile, readUnpacked, writeUnpacked } from "./unpacked-file.ts";

export type IndexedPack = { readonly id: string; readonly blobs: readonly PackedBlob[] };

/** restic writes an index at about this many blobs. */
export const maxIndexBlobs = 50_000;

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

export const writeIndex = async (
  store: Store,
  sealer: Sealer,
  version: RepositoryVersion,
  packs: readonly IndexedPack[],
): Promise<string> => writeUnpacked(store, sealer, version, "index", encodeIndex(packs));

/**
 * Gives each pack of an index to `take`.
 * @throws RefloatError vault.damaged, StoreFileMissing
 */
export const readIndex = async (
  store: Store,
  sealer: Sealer,
  id: string,
  take: (pack: IndexedPack) => void,
): Promise<void> => {
  const json = await readUnpacked(store, sealer, "index", id);
  try {
    for (const pack of new IndexScanner(json).packs()) take(pack);
  } catch (error) {
    if (!(error instanceof MalformedIndex)) throw error;
    throw damagedFile("index", id, `is not of the format: ${error.message}`, error);
  }
};
