/** Index files: which blob lies where. Written after the packs and before the snapshot that needs them. */
import { z } from "zod";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";
import { type PackedBlob, blobTypes } from "./pack-header.ts";
import { type RepositoryVersion, parseUnpacked, readUnpacked, writeUnpacked } from "./unpacked-file.ts";

export type IndexedPack = { readonly id: string; readonly blobs: readonly PackedBlob[] };

/** restic writes an index at about this many blobs. */
export const maxIndexBlobs = 50_000;

const idSchema = z.string().regex(/^[0-9a-f]{64}$/);
const indexFileSchema = z.object({
  packs: z
    .array(
      z.object({
        id: idSchema,
        blobs: z.array(
          z.object({
            id: idSchema,
            type: z.enum(blobTypes),
            offset: z.int().nonnegative(),
            length: z.int().nonnegative(),
            uncompressed_length: z.int().nonnegative().optional(),
          }),
        ),
      }),
    )
    .nullish(),
});

export const writeIndex = async (
  store: Store,
  sealer: Sealer,
  version: RepositoryVersion,
  packs: readonly IndexedPack[],
): Promise<string> => {
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
  return writeUnpacked(store, sealer, version, "index", Buffer.from(JSON.stringify(file)));
};

/** @throws RefloatError vault.damaged, StoreFileMissing */
export const readIndex = async (store: Store, sealer: Sealer, id: string): Promise<readonly IndexedPack[]> => {
  const json = await readUnpacked(store, sealer, "index", id);
  const file = parseUnpacked("index", id, json, (value) => indexFileSchema.parse(value));
  return (file.packs ?? []).map((pack) => ({
    id: pack.id,
    blobs: pack.blobs.map((blob) => ({ ...blob, plainLength: blob.uncompressed_length ?? 0 })),
  }));
};
