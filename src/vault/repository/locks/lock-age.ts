/**
 * Who of those that hold locks is dead. Their files are believed by two clocks at once: the store's, by which a lock file and one that was
 * just written by us are compared, and those of the two machines. A clock that jumped makes nobody dead.
 */
import type { LockSession, RepositoryLockFile } from "./lock-file.ts";

/** After this long without a refresh, its holder is taken for dead, as restic does: what it then commits it has to lock anew for. */
export const staleMs = 30 * 60 * 1000;

/** For taking away what cannot be brought back. */
export const deadAfterMs = 2 * 60 * 60 * 1000;

/** A process: its id and what makes it one of a kind. */
export type LockOwner = {
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
} & Pick<LockSession, "machine" | "startTicks">;

export type LookedAt = {
  readonly nowMs: number;
  /** By the store's clock; undefined if it does not tell, or nothing was written by us just now. */
  readonly storeNowMs: number | undefined;
  readonly owner: LockOwner;
  /** Asks about a process of this machine. */
  readonly isAlive: (pid: number, startTicks: number | undefined) => boolean;
};

export const isHeldHere = ({ pid, refloat }: RepositoryLockFile, owner: LockOwner): boolean =>
  pid === owner.pid && refloat?.machine === owner.machine && refloat?.startTicks === owner.startTicks;

const isOfHere = ({ refloat }: RepositoryLockFile, { owner }: LookedAt): boolean =>
  refloat?.machine !== undefined && refloat.machine === owner.machine;

const isAtWork = (lock: RepositoryLockFile, { owner, isAlive }: LookedAt): boolean =>
  isHeldHere(lock, owner) || isAlive(lock.pid, lock.refloat?.startTicks);

/** Proven, by the process table of the machine that the lock names. A host's name proves nothing. */
export const hasEnded = (lock: RepositoryLockFile, at: LookedAt): boolean => isOfHere(lock, at) && !isAtWork(lock, at);

/** Has nobody refreshed it for so long, by the store's clock and by ours? What one of them does not tell counts as fresh. */
const isOlderThan = (lock: RepositoryLockFile, ageMs: number, { nowMs, storeNowMs }: LookedAt): boolean =>
  storeNowMs !== undefined &&
  lock.writtenMs !== undefined &&
  storeNowMs - lock.writtenMs > ageMs &&
  nowMs - lock.timeMs > ageMs;

export const isDead = (lock: RepositoryLockFile, ageMs: number, at: LookedAt): boolean =>
  isOfHere(lock, at) ? !isAtWork(lock, at) : isOlderThan(lock, ageMs, at);
