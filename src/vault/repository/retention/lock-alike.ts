/** What is written in the place of other files becomes as safe as the safest of them: what rested on those rests on it. */
import { type FileLock, type Store, ifMissing } from "../stores/store.ts";
import { stricterLock } from "../stores/stricter-lock.ts";
import type { NeededFile } from "./needed-files.ts";

/**
 * @returns what was written is locked so; null if nothing has to be
 * @throws RefloatError vault.denied without the right to lock; what was written stays without a lock then
 */
export const lockAlike = async (
  { retention }: Pick<Store, "retention">,
  replaced: readonly NeededFile[],
  written: readonly NeededFile[],
  now: Date,
): Promise<FileLock | null> => {
  if (retention === undefined || !(await retention.support()).locks) return null;
  let wanted: FileLock | null = null;
  for (const { kind, name } of replaced) {
    const lock: FileLock | null = await retention.lockOf(kind, name).catch(ifMissing);
    if (lock !== null) wanted = wanted === null ? lock : stricterLock(wanted, lock);
  }
  if (wanted === null || wanted.until <= now) return null;
  for (const { kind, name } of written) await retention.lock(kind, name, wanted);
  return wanted;
};
