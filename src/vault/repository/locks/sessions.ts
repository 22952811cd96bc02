/** Who is at work on the repository, as its locks tell: what a prune must wait for. Changes nothing. */
import { setTimeout as delay } from "node:timers/promises";
import { deadAfterMs, isDead } from "./lock-age.ts";
import type { LockRole, RepositoryLockFile } from "./lock-file.ts";
import type { RepositoryLockOptions } from "./repository-lock.ts";
import { settleMs } from "./role-lock.ts";
import { lookAtLocks } from "./seen-locks.ts";

export type Session = {
  /** The same through all refreshes of its lock. */
  readonly key: string;
  /** Null for a program that is not Refloat. */
  readonly role: LockRole | null;
  /** As in `root@db-1, process 4711`. */
  readonly who: string;
};

const sessionOf = (lock: RepositoryLockFile): Session => {
  const who = `${lock.username}@${lock.hostname}, process ${lock.pid}`;
  return { key: lock.refloat?.session ?? `restic ${who}`, role: lock.refloat?.role ?? null, who };
};

const lookOnce = async (options: RepositoryLockOptions, found: Map<string, Session>): Promise<void> => {
  const { locks, unreadable, at } = await lookAtLocks(options);
  for (const lock of locks) {
    if (isDead(lock, deadAfterMs, at)) continue;
    const session = sessionOf(lock);
    found.set(session.key, session);
  }
  // It may be anybody's.
  for (const { name } of unreadable)
    found.set(name, { key: name, role: null, who: `a lock that cannot be read (${name.slice(0, 8)})` });
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
