/**
 * Our shared locks on the repository, held while anything depends on packs not being removed: captures, restores, verification. One for
 * each role, since others give way to some and not to others. restic's prune waits for them; captures refuse while another holds an
 * exclusive one.
 */
import type { Clock, Log } from "../../../core/ports/environment.ts";
import type { RepositoryVersion } from "../format/unpacked-file.ts";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";
import type { LockOwner } from "./lock-age.ts";
import type { LockRole } from "./lock-file.ts";
import { RoleLock } from "./role-lock.ts";

export type RepositoryLockOptions = {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly version: RepositoryVersion;
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: LockOwner;
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
  readonly #closing = new AbortController();
  readonly #writing: RoleLock;
  /** A file of its own: a sweep gives way to who reads, and not to a capture. */
  readonly #reading: RoleLock;

  constructor(options: RepositoryLockOptions, role: LockRole = "capture") {
    this.options = options;
    this.#writing = new RoleLock(options, role, this.#closing.signal);
    this.#reading = new RoleLock(options, "read", this.#closing.signal);
  }

  /** A lock of its own: shared, and seen by other prunes as what it is. */
  forPrune(): RepositoryLock {
    return new RepositoryLock(this.options, "prune");
  }

  /** Is that session one of this lock's? */
  isOwn(session: string): boolean {
    return session === this.#writing.session || session === this.#reading.session;
  }

  /** For writing: resolves once no exclusive lock can come between. @throws RefloatError vault.locked, vault.store-failed */
  async hold(): Promise<HeldLock> {
    const held = this.#writing.begin();
    try {
      await this.#writing.acquired();
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
    const held = this.#reading.begin();
    this.#reading.acquired().catch((error: unknown) => {
      if (this.#closing.signal.aborted) return;
      this.options.log.warn("the vault is read without a lock", { error: String(error) });
    });
    return held;
  }

  /** Does not linger: gives up now what nobody holds. */
  async letGo(): Promise<void> {
    await Promise.all([this.#writing.letGo(), this.#reading.letGo()]);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#writing.close(), this.#reading.close()]);
  }
}
