/**
 * Yields the plain blobs of a list in order. Packs are read in few large pieces: what lies close together in a pack is fetched at once,
 * a batch of at most some megabytes at a time.
 */
import type { BlobPlace, BlobTable } from "./blob-table.ts";
import { type BlobSource, openBlobInto } from "./blob-reader.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobType } from "../format/pack-header.ts";
import { Scratch } from "./scratch.ts";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";

export const batchBytes = 4 * 1024 * 1024;
/** Reading over a gap of this size costs less than another request. */
const mostGapBytes = 128 * 1024;

/** In the order in which they lie in the store. */
export const comparePlaces = (a: BlobPlace, b: BlobPlace): number =>
  a.packId < b.packId ? -1 : a.packId > b.packId ? 1 : a.offset - b.offset;

type Wanted = { readonly id: string; readonly place: BlobPlace };

/** Each blob is valid until the next one is asked for. One list at a time: the bytes of a batch lie in memory that the next one takes. */
export type OrderedBlobs = (ids: Iterable<string>, type?: BlobType) => AsyncGenerator<Buffer>;

export const createOrderedBlobs = (store: Store, sealer: Sealer, table: BlobTable, blobs: BlobSource): OrderedBlobs => {
  const scratch = Buffer.allocUnsafeSlow(batchBytes * 1.25);
  const content = new Scratch();

  /** The sealed bytes of a batch, by id. What cannot be read here is left to `blobs`, which knows other copies. */
  const fetch = async (batch: readonly Wanted[]): Promise<ReadonlyMap<string, Buffer>> => {
    const sealed = new Map<string, Buffer>();
    const sorted = [...new Map(batch.map((wanted) => [wanted.id, wanted])).values()].sort((a, b) =>
      comparePlaces(a.place, b.place),
    );
    let used = 0;
    for (let from = 0; from < sorted.length;) {
      const first = sorted[from]?.place;
      if (first === undefined) break;
      let end = first.offset + first.length;
      let to = from + 1;
      for (; to < sorted.length; to += 1) {
        const next = sorted[to]?.place;
        if (next === undefined || next.packId !== first.packId || next.offset > end + mostGapBytes) break;
        end = Math.max(end, next.offset + next.length);
      }
      try {
        const length = end - first.offset;
        // A blob alone may be longer than a batch.
        const into = used + length <= scratch.length ? scratch.subarray(used, used + length) : undefined;
        const bytes = await store.readRange("data", first.packId, first.offset, length, into);
        used += into?.length ?? 0;
        for (const { id, place } of sorted.slice(from, to)) {
          sealed.set(id, bytes.subarray(place.offset - first.offset, place.offset - first.offset + place.length));
        }
      } catch (error) {
        if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
      }
      from = to;
    }
    return sealed;
  };

  const open = async (
    id: string,
    type: BlobType,
    place: BlobPlace | undefined,
    sealed: Buffer | undefined,
  ): Promise<Buffer> => {
    if (place !== undefined && sealed !== undefined) {
      try {
        return openBlobInto(sealed, id, place, sealer, content);
      } catch (error) {
        if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
      }
    }
    return blobs.read(id, type);
  };

  return async function* orderedBlobs(ids, type = "data") {
    let batch: { readonly id: string; readonly place: BlobPlace | undefined }[] = [];
    let bytes = 0;
    const drain = async function* (): AsyncGenerator<Buffer> {
      const sealed = await fetch(batch.filter((wanted): wanted is Wanted => wanted.place !== undefined));
      for (const { id, place } of batch) yield open(id, type, place, sealed.get(id));
      batch = [];
      bytes = 0;
    };
    for (const id of ids) {
      const [place] = table.locate(id, type);
      const length = place?.length ?? 0;
      if (bytes > 0 && bytes + length > batchBytes) yield* drain();
      batch.push({ id, place });
      bytes += length;
    }
    yield* drain();
  };
};
