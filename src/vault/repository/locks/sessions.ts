/** Who is at work on the repository, as its locks tell: what a prune must wait for. Changes nothing. */
import { setTimeout as delay } from "node:timers/promises";
import type { RefloatError } from "../../../model/refloat-error.ts";
import { StoreFileMissing } from "../stores/store.ts";
import { type LockRole, type RepositoryLockFile, readLock } from "./lock-file.ts";
import { isProcessAlive } from "./process-alive.ts";
import type { RepositoryLockOptions } from "./repository-lock.ts";
import { settleMs } from "./role-lock.ts";

export type Session = {
  /** The same through all refreshes of its lock. */
  readonly key: string;
  /** Null for a program that is not Refloat. */
  readonly role: LockRole | null;
  /** As in `root@db-1, process 4711`. */
  readonly who: string;
};

/**
 * Longer than any lock is believed: for taking away what cannot be brought back, the clocks of two machines may differ by more than for
 * beginning a capture.
 */
const deadAfterMs = 2 * 60 * 60 * 1000;

const isDead = (lock: RepositoryLockFile, { clock, owner }: RepositoryLockOptions): boolean =>
  lock.hostname === owner.hostname && lock.pid > 0
    ? !isProcessAlive(lock.pid)
    : clock.now().getTime() - lock.timeMs > deadAfterMs;

const sessionOf = (lock: RepositoryLockFile): Session => {
  const who = `${lock.username}@${lock.hostname}, process ${lock.pid}`;
  return { key: lock.refloat?.session ?? `restic ${who}`, role: lock.refloat?.role ?? null, who };
};

const lookOnce = async (options: RepositoryLockOptions, found: Map<string, Session>): Promise<void> => {
  for await (const { name, sizeBytes } of options.store.list("locks")) {
    if (sizeBytes === 0) continue;
    try {
      const lock = await readLock(options.store, options.sealer, name);
      if (isDead(lock, options)) continue;
      const session = sessionOf(lock);
      found.set(session.key, session);
    } catch (error) {
      if (error instanceof StoreFileMissing) continue;
      // A lock that cannot be read may be anybody's.
      if ((error as RefloatError).code !== "vault.damaged") throw error;
      found.set(name, { key: name, role: null, who: `a lock that cannot be read (${name.slice(0, 8)})` });
    }
  }
};

/**
 * Looks twice: a lock that is refreshed just while the files are listed has a new name by then, and would be missed once, but not twice.
 */
export const readSessions = async (options: RepositoryLockOptions): Promise<readonly Session[]> => {
  const found = new Map<string, Session>();
  await lookOnce(options, found);
  await delay(settleMs);
  await lookOnce(options, found);
  return [...found.values()];
};
