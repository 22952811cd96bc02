/**
 * Copies what is used out of packs that are little used, into new packs with an index. Every blob is verified on the way. Only adds: the
 * old packs stay as they are, and are marked afterwards.
 */
import { clearFailure } from "../capture/capture-state.ts";
import { readIndex } from "../format/index-file.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { RepositoryContext } from "../repository-context.ts";
import type { Census, CountedPack } from "./census.ts";

/** So many ids travel to a thread at once. */
const blobsPerTask = 256;

type Task = { readonly type: BlobType; readonly ids: string[] };

export const repack = async (
  context: RepositoryContext,
  census: Census,
  packs: readonly CountedPack[],
  signal: AbortSignal,
  progress: (bytes: number) => void,
): Promise<number> => {
  const { pool, index, store, sealer } = context;
  // The threads find the blobs by the open repository's own table.
  await index.load();
  const wanted = new Set(packs.map(({ id }) => id));
  const seen = new Set<string>();
  let newBytes = 0;
  const copy = async ({ type, ids }: Task): Promise<void> => {
    if (ids.length === 0) return;
    signal.throwIfAborted();
    const { bytes } = await pool.leastLoaded().call("copy-blobs", { type, ids });
    newBytes += bytes;
    progress(bytes);
  };
  try {
    for (const [name, numbers] of census.indexes) {
      if (!numbers.some((number) => wanted.has(census.packs[number]?.id ?? ""))) continue;
      // One index after the other, so that the ids of all are never in memory at once.
      const tasks: Task[] = [];
      await readIndex(store, sealer, name, (pack) => {
        if (!wanted.has(pack.id) || seen.has(pack.id)) return;
        seen.add(pack.id);
        const number = census.packNumbers.get(pack.id);
        for (const { id, type } of pack.blobs) {
          if (!census.copies(id, type).some((found) => found.pack === number && census.isUsed(found.entry))) continue;
          const last = tasks.findLast((task) => task.type === type);
          if (last === undefined || last.ids.length >= blobsPerTask) tasks.push({ type, ids: [id] });
          else last.ids.push(id);
        }
      });
      for (const task of tasks) await copy(task);
    }
    await Promise.all(pool.started.map(async (thread) => thread.call("flush", null)));
  } catch (error) {
    // Nothing relies on what was not finished; the room is given back once nobody captures in this process.
    context.captures.taint();
    await clearFailure(context);
    throw error;
  }
  await index.flush();
  return newBytes;
};
