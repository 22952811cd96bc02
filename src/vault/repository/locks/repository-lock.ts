/**
 * Our shared lock on the repository, held while anything depends on packs not being removed: captures, restores, verification.
 * Taken with the first holder and released some seconds after the last. restic's prune waits for it; captures refuse while another
 * holds an exclusive one.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock, Log } from "../../../core/ports/environment.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { RepositoryVersion } from "../format/unpacked-file.ts";
import type { Sealer } from "../seal/seal.ts";
import { type Store, StoreFileMissing } from "../stores/store.ts";
import { AcquiredLock } from "./acquired-lock.ts";
import { type LockRole, type RepositoryLockFile, isStaleLock, readLock } from "./lock-file.ts";
import { isProcessAlive } from "./process-alive.ts";

/** Two programs that lock at the same instant see each other when they look again after this. */
export const settleMs = 200;
/** Parts of one piece of work follow each other, and each would wait for a lock of its own. */
const lingerMs = 5000;

export type RepositoryLockOptions = {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly version: RepositoryVersion;
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: { readonly hostname: string; readonly username: string; readonly pid: number };
};

export type HeldLock = {
  /** Of the lock that is held, while it is; undefined before it was acquired. */
  readonly session: () => string | undefined;
  /** @throws RefloatError vault.locked if the lock went stale while it was held */
  readonly requireFresh: () => Promise<void>;
  /** Idempotent. */
  readonly release: () => void;
};

export class RepositoryLock {
  readonly options: RepositoryLockOptions;
  readonly #role: LockRole;
  readonly #closing = new AbortController();
  #holders = 0;
  #lock: Promise<AcquiredLock> | undefined;
  #session: string | undefined;
  #dropping: Promise<void> = Promise.resolve();
  #linger: NodeJS.Timeout | undefined;

  constructor(options: RepositoryLockOptions, role: LockRole = "capture") {
    this.options = options;
    this.#role = role;
  }

  /** A lock of its own: shared, and seen by other prunes as what it is. */
  forPrune(): RepositoryLock {
    return new RepositoryLock(this.options, "prune");
  }

  /** For writing: resolves once no exclusive lock can come between. @throws RefloatError vault.locked, vault.store-failed */
  async hold(): Promise<HeldLock> {
    const held = this.#begin(this.#role);
    try {
      await this.#acquired(this.#role);
    } catch (error) {
      held.release();
      throw error;
    }
    return held;
  }

  /**
   * For reading: keeps a prune from beginning meanwhile, but waits for nobody. A recovery must not fail because the vault lies on
   * a read-only disk, or because a dead machine left an exclusive lock: what is read is verified in any case.
   */
  holdForReading(): HeldLock {
    const held = this.#begin("read");
    this.#acquired("read").catch((error: unknown) => {
      if (this.#closing.signal.aborted) return;
      this.options.log.warn("the vault is read without a lock", { error: String(error) });
    });
    return held;
  }

  /** Does not linger: gives the lock up now, if nobody holds it. */
  async letGo(): Promise<void> {
    if (this.#holders === 0) this.#drop();
    await this.#dropping;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#drop();
    await this.#dropping;
  }

  #begin(role: LockRole): HeldLock {
    this.#holders += 1;
    clearTimeout(this.#linger);
    let held = true;
    return {
      session: () => this.#session,
      requireFresh: async () => (await this.#acquired(role)).requireFresh(),
      release: () => {
        if (!held) return;
        held = false;
        this.#holders -= 1;
        if (this.#holders === 0) this.#linger = setTimeout(() => this.#drop(), lingerMs).unref();
      },
    };
  }

  async #acquired(role: LockRole): Promise<AcquiredLock> {
    const lock = (this.#lock ??= this.#acquire(role));
    try {
      return await lock;
    } catch (error) {
      if (this.#lock === lock) this.#lock = undefined;
      throw error;
    }
  }

  async #acquire(role: LockRole): Promise<AcquiredLock> {
    await this.#refuseIfExclusive(undefined);
    const lock = await AcquiredLock.write(this.options, role);
    try {
      await delay(settleMs, undefined, { signal: this.#closing.signal });
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

  async #refuseIfExclusive(own: string | undefined): Promise<void> {
    const { store, clock, owner, log } = this.options;
    for await (const { name, sizeBytes } of store.list("locks")) {
      // An empty file is what a crash leaves on some file systems; no program holds it.
      if (name === own || sizeBytes === 0) continue;
      const lock = await this.#read(name);
      if (lock === undefined) continue;
      const here = { nowMs: clock.now().getTime(), hostname: owner.hostname, isAlive: isProcessAlive };
      if (isStaleLock(lock, here)) {
        log.info("a stale lock of the vault is ignored", { hostname: lock.hostname, pid: lock.pid });
        continue;
      }
      // A sweep of ours takes nothing that a capture of ours counts on.
      if (lock.exclusive && lock.refloat?.role !== "sweep") throw inUse(store.location, lock);
    }
  }

  /** @returns undefined if it went away meanwhile */
  async #read(name: string): Promise<RepositoryLockFile | undefined> {
    try {
      return await readLock(this.options.store, this.options.sealer, name);
    } catch (error) {
      if (error instanceof StoreFileMissing) return undefined;
      throw error;
    }
  }
}

const inUse = (location: string, lock: RepositoryLockFile): RefloatError =>
  new RefloatError(
    "vault.locked",
    `the vault at ${location} is in exclusive use by ${lock.username}@${lock.hostname}, process ${lock.pid}`,
    {
      context: { hostname: lock.hostname, pid: lock.pid, since: new Date(lock.timeMs).toISOString() },
      state: "nothing was changed",
      hint: "wait for it to end (a prune or a check); if it died on another machine, `restic unlock` removes its lock",
    },
  );
