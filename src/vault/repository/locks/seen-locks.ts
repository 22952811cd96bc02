/** The repository's lock files as they are now, and the instant by the clocks that tell who of their holders is dead. Changes nothing. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { StoreFileMissing } from "../stores/store.ts";
import { type LookedAt, isHeldHere } from "./lock-age.ts";
import { type RepositoryLockFile, readLock } from "./lock-file.ts";
import { isSameProcessAlive } from "./process-alive.ts";
import type { RepositoryLockOptions } from "./repository-lock.ts";

export type SeenLocks = {
  readonly locks: readonly RepositoryLockFile[];
  readonly unreadable: readonly { readonly name: string; readonly error: RefloatError }[];
  readonly at: LookedAt;
};

export const lookAtLocks = async ({ store, sealer, clock, owner }: RepositoryLockOptions): Promise<SeenLocks> => {
  const locks: RepositoryLockFile[] = [];
  const unreadable: { readonly name: string; readonly error: RefloatError }[] = [];
  for await (const file of store.list("locks")) {
    // An empty file is what a crash leaves on some file systems; no program holds it.
    if (file.sizeBytes === 0) continue;
    try {
      locks.push(await readLock(store, sealer, file));
    } catch (error) {
      // It went away meanwhile.
      if (error instanceof StoreFileMissing) continue;
      if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
      unreadable.push({ name: file.name, error });
    }
  }
  // Ours are refreshed, so that the newest was written some minutes ago at most: the store's clock shows that or more.
  const own = locks.flatMap((lock) => (isHeldHere(lock, owner) ? (lock.writtenMs ?? []) : []));
  const storeNowMs = own.length === 0 ? undefined : Math.max(...own);
  const at = { nowMs: clock.now().getTime(), storeNowMs, owner, isAlive: isSameProcessAlive };
  return { locks, unreadable, at };
};
