/** Which packs are read next when not all can be: those that were read longest ago first, the never read before all. */
import type { VerifyLimit } from "../../../core/ports/vault-verification.ts";

export type PackFacts = { readonly sizeBytes: number; readonly blobs: number };

/** So much is read between two looks at the indexes. */
const batchBytes = 2 * 1024 ** 3;
const batchBlobs = 200_000;

/**
 * @param reads when each was read, in seconds since 1970; of the future is not believed
 * @returns ids, the longest unread first; of equal age in the order of their ids, which are as good as shuffled
 */
export const oldestFirst = (
  packs: ReadonlyMap<string, PackFacts>,
  reads: ReadonlyMap<string, number>,
  nowSeconds: number,
): readonly string[] => {
  const readAt = (id: string): number => {
    const seconds = reads.get(id) ?? 0;
    return seconds > nowSeconds ? 0 : seconds;
  };
  return [...packs.keys()].sort((a, b) => readAt(a) - readAt(b) || (a < b ? -1 : 1));
};

/** Deals out the packs in batches until so much is taken; at least one pack, so that however small the limit, all come in turn. */
export function* batchesWithin(
  ordered: readonly string[],
  packs: ReadonlyMap<string, PackFacts>,
  limit: VerifyLimit,
): Generator<ReadonlySet<string>> {
  const total = [...packs.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const mostBytes = Math.min(limit.bytes ?? Number.POSITIVE_INFINITY, (limit.share ?? 1) * total);
  let taken = 0;
  let batch = new Set<string>();
  let bytes = 0;
  let blobs = 0;
  for (const id of ordered) {
    if (taken > 0 && taken >= mostBytes) break;
    const facts = packs.get(id);
    if (facts === undefined) continue;
    batch.add(id);
    taken += facts.sizeBytes;
    bytes += facts.sizeBytes;
    blobs += facts.blobs;
    if (bytes < batchBytes && blobs < batchBlobs) continue;
    yield batch;
    batch = new Set();
    bytes = 0;
    blobs = 0;
  }
  if (batch.size > 0) yield batch;
}
