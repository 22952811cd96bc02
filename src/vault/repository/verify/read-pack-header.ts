/** Reads what a pack says of itself, for one that no index names. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { type PackedBlob, decodePackHeader, packHeaderBytes } from "../format/pack-header.ts";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";

const lengthBytes = 4;
/** restic's own limit. */
const maxHeaderBytes = 16 * 1024 * 1024;

/** @returns undefined if the pack has no header that fits it */
export const readPackHeader = async (
  store: Store,
  sealer: Sealer,
  packId: string,
  sizeBytes: number,
): Promise<readonly PackedBlob[] | undefined> => {
  if (sizeBytes < lengthBytes) return undefined;
  try {
    const length = (await store.readRange("data", packId, sizeBytes - lengthBytes, lengthBytes)).readUInt32LE();
    if (length > Math.min(maxHeaderBytes, sizeBytes - lengthBytes)) return undefined;
    const plain = sealer.unseal(await store.readRange("data", packId, sizeBytes - lengthBytes - length, length));
    const blobs = plain === undefined ? undefined : decodePackHeader(plain);
    if (blobs === undefined) return undefined;
    const bytes = blobs.reduce((sum, blob) => sum + blob.length, 0) + packHeaderBytes(blobs);
    return bytes === sizeBytes ? blobs : undefined;
  } catch (error) {
    // Removed meanwhile, or cut.
    if (error instanceof RefloatError && error.code === "vault.damaged") return undefined;
    throw error;
  }
};
