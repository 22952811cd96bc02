/** The lock of one role in an open repository: one lock file for all who hold it, written with the first, and removed some seconds after the last. */
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../../../model/refloat-error.ts";
import { AcquiredLock } from "./acquired-lock.ts";
import { removeEnded } from "./dead-locks.ts";
import { isDead, staleMs } from "./lock-age.ts";
import type { LockRole, RepositoryLockFile } from "./lock-file.ts";
import type { HeldLock, RepositoryLockOptions } from "./repository-lock.ts";
import { lookAtLocks } from "./seen-locks.ts";

/** Two programs that lock at the same instant see each other when they look again after this. */
export const settleMs = 200;
/** Parts of one piece of work follow each other, and each would wait for a lock of its own. */
const lingerMs = 5000;

export class RoleLock {
  readonly #options: RepositoryLockOptions;
  readonly #role: LockRole;
  /** Ends what waits for the lock. */
  readonly #closing: AbortSignal;
  #holders = 0;
  #lock: Promise<AcquiredLock> | undefined;
  #session: string | undefined;
  #dropping: Promise<void> = Promise.resolve();
  #linger: NodeJS.Timeout | undefined;

  constructor(options: RepositoryLockOptions, role: LockRole, closing: AbortSignal) {
    this.#options = options;
    this.#role = role;
    this.#closing = closing;
  }

  /** Of the lock that was acquired last. */
  get session(): string | undefined {
    return this.#session;
  }

  /** Does not linger: gives the lock up now, if nobody holds it. */
  async letGo(): Promise<void> {
    if (this.#holders === 0) this.#drop();
    await this.#dropping;
  }

  async close(): Promise<void> {
    this.#drop();
    await this.#dropping;
  }

  begin(): HeldLock {
    this.#holders += 1;
    clearTimeout(this.#linger);
    let held = true;
    return {
      session: () => this.#session,
      requireFresh: async () => (await this.acquired()).requireFresh(),
      release: () => {
        if (!held) return;
        held = false;
        this.#holders -= 1;
        if (this.#holders === 0) this.#linger = setTimeout(() => this.#drop(), lingerMs).unref();
      },
    };
  }

  async acquired(): Promise<AcquiredLock> {
    const lock = (this.#lock ??= this.#acquire());
    try {
      return await lock;
    } catch (error) {
      if (this.#lock === lock) this.#lock = undefined;
      throw error;
    }
  }

  async #acquire(): Promise<AcquiredLock> {
    await this.#refuseIfExclusive(undefined);
    const lock = await AcquiredLock.write(this.#options, this.#role);
    try {
      await delay(settleMs, undefined, { signal: this.#closing });
      await this.#refuseIfExclusive(lock.name);
    } catch (error) {
      await lock.remove();
      throw error;
    }
    lock.keepFresh();
    this.#session = lock.session;
    return lock;
  }

  #drop(): void {
    clearTimeout(this.#linger);
    const lock = this.#lock;
    this.#lock = undefined;
    if (lock === undefined) return;
    this.#dropping = lock.then(
      async (acquired) => acquired.remove(),
      // It was never taken, and whoever asked for it has heard.
      () => undefined,
    );
  }

  /** @param own our lock file; without it the store's time is not known, and what by our clock looks dead is looked at again with it */
  async #refuseIfExclusive(own: string | undefined): Promise<void> {
    const { store, log } = this.#options;
    const seen = await lookAtLocks(this.#options);
    const { locks, unreadable, at } = seen;
    if (unreadable[0] !== undefined) throw unreadable[0].error;
    for (const lock of locks) {
      // A sweep of ours takes nothing that a capture of ours counts on.
      if (lock.name === own || !lock.exclusive || lock.refloat?.role === "sweep") continue;
      if (own === undefined && at.nowMs - lock.timeMs > staleMs) continue;
      if (!isDead(lock, staleMs, at)) throw inUse(store.location, lock);
      log.info("a stale lock of the vault is ignored", { hostname: lock.hostname, pid: lock.pid });
    }
    if (own !== undefined && this.#role !== "read") await removeEnded(this.#options, seen);
  }
}

const inUse = (location: string, lock: RepositoryLockFile): RefloatError =>
  new RefloatError(
    "vault.locked",
    `the vault at ${location} is in exclusive use by ${lock.username}@${lock.hostname}, process ${lock.pid}`,
    {
      context: { hostname: lock.hostname, pid: lock.pid, since: new Date(lock.timeMs).toISOString() },
      state: "nothing was changed",
      hint: "wait for it to end (a prune or a check); if it died, its lock counts for nothing after half an hour, and `restic unlock` removes it",
    },
  );
