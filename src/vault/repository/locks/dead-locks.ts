/**
 * Takes away the lock files of those who are dead: killed before they could, or without the right to. They count for nothing, but stock
 * restic asks for `unlock` because of each. Those of other programs are left to these.
 */
import { deadAfterMs, hasEnded, isDead } from "./lock-age.ts";
import type { RepositoryLockOptions } from "./repository-lock.ts";
import { type SeenLocks, lookAtLocks } from "./seen-locks.ts";

/** Of this machine's processes alone. What cannot be removed stays. */
export const removeEnded = async (options: RepositoryLockOptions, { locks, at }: SeenLocks): Promise<void> =>
  removeAll(
    options,
    locks.filter((lock) => hasEnded(lock, at)).map(({ name }) => name),
  );

/** Also of other machines, by their age. A lock of ours must be held: its file shows the store's time. */
export const removeDead = async (options: RepositoryLockOptions): Promise<void> => {
  const { locks, at } = await lookAtLocks(options);
  const dead = locks.filter((lock) => lock.refloat !== undefined && isDead(lock, deadAfterMs, at));
  await removeAll(
    options,
    dead.map(({ name }) => name),
  );
};

const removeAll = async ({ store, log }: RepositoryLockOptions, names: readonly string[]): Promise<void> => {
  for (const name of names) {
    try {
      await store.remove("locks", name);
    } catch (error) {
      log.info("the lock of a dead process could not be removed", { lock: name, error: String(error) });
    }
  }
};
