/**
 * Our shared lock on the repository, held while anything depends on packs not being removed: captures, restores, verification. It is
 * taken with the first holder, refreshed while there are any, and released with the last. restic's prune and ours wait for it;
 * we refuse while another holds an exclusive one.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock, Log } from "../../../core/ports/environment.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { RepositoryVersion } from "../format/unpacked-file.ts";
import type { Sealer } from "../seal/seal.ts";
import { type Store, StoreFileMissing } from "../stores/store.ts";
import { type RepositoryLockFile, isStaleLock, readLock, writeLock } from "./lock-file.ts";
import { isProcessAlive } from "./process-alive.ts";

/** Two programs that lock at the same instant see each other when they look again after this. */
const settleMs = 200;
const refreshMs = 5 * 60 * 1000;

export type LockOwner = { readonly hostname: string; readonly username: string; readonly pid: number };

export type RepositoryLockOptions = {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly version: RepositoryVersion;
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: LockOwner;
};

export type HeldLock = { readonly release: () => Promise<void> };

export class RepositoryLock {
  readonly #options: RepositoryLockOptions;
  #holders = 0;
  #name: Promise<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();

  constructor(options: RepositoryLockOptions) {
    this.#options = options;
  }

  /** @throws RefloatError vault.locked, vault.store-failed */
  async hold(): Promise<HeldLock> {
    this.#holders += 1;
    try {
      await (this.#name ??= this.#acquire());
    } catch (error) {
      this.#holders -= 1;
      this.#name = undefined;
      throw error;
    }
    let held = true;
    return {
      release: async () => {
        if (!held) return;
        held = false;
        this.#holders -= 1;
        if (this.#holders === 0) await this.#drop();
      },
    };
  }

  async close(): Promise<void> {
    this.#holders = 0;
    await this.#drop();
  }

  async #acquire(): Promise<string> {
    await this.#refuseIfExclusive(undefined);
    const name = await this.#write();
    try {
      await delay(settleMs);
      await this.#refuseIfExclusive(name);
    } catch (error) {
      await this.#options.store.remove("locks", name);
      throw error;
    }
    // restic asks by SIGHUP whether the holder of a lock lives, and ignores that signal itself.
    process.on("SIGHUP", ignoreHangUp);
    this.#timer = setInterval(() => {
      this.#refreshing = this.#refresh();
    }, refreshMs).unref();
    return name;
  }

  async #drop(): Promise<void> {
    const name = this.#name;
    if (name === undefined) return;
    this.#name = undefined;
    clearInterval(this.#timer);
    process.off("SIGHUP", ignoreHangUp);
    await this.#refreshing;
    try {
      await this.#options.store.remove("locks", await name);
    } catch (error) {
      // The work is done and durable; the lock goes stale in half an hour.
      this.#options.log.warn("the vault's lock could not be removed", { error: String(error) });
    }
  }

  async #write(): Promise<string> {
    const { store, sealer, version, clock, owner } = this.#options;
    return writeLock(store, sealer, version, { ...owner, timeMs: clock.now().getTime(), exclusive: false });
  }

  /** A new file, then the old one goes: at no time is there none. */
  async #refresh(): Promise<void> {
    const old = this.#name;
    if (old === undefined) return;
    try {
      const name = await this.#write();
      this.#name = Promise.resolve(name);
      await this.#options.store.remove("locks", await old);
    } catch (error) {
      this.#options.log.warn("the vault's lock could not be refreshed", { error: String(error) });
    }
  }

  async #refuseIfExclusive(own: string | undefined): Promise<void> {
    const { store, clock, owner, log } = this.#options;
    for await (const { name } of store.list("locks")) {
      if (name === own) continue;
      const lock = await this.#read(name);
      if (lock === undefined) continue;
      const here = { nowMs: clock.now().getTime(), hostname: owner.hostname, isAlive: isProcessAlive };
      if (isStaleLock(lock, here)) {
        log.info("a stale lock of the vault is ignored", { hostname: lock.hostname, pid: lock.pid });
        continue;
      }
      if (lock.exclusive) throw inUse(store.location, lock);
    }
  }

  /** @returns undefined if it went away meanwhile */
  async #read(name: string): Promise<RepositoryLockFile | undefined> {
    try {
      return await readLock(this.#options.store, this.#options.sealer, name);
    } catch (error) {
      if (error instanceof StoreFileMissing) return undefined;
      throw error;
    }
  }
}

const ignoreHangUp = (): void => undefined;

const inUse = (location: string, lock: RepositoryLockFile): RefloatError =>
  new RefloatError(
    "vault.locked",
    `the vault at ${location} is in use by ${lock.username}@${lock.hostname}, process ${lock.pid}, alone`,
    {
      context: { hostname: lock.hostname, pid: lock.pid, since: new Date(lock.timeMs).toISOString() },
      state: "nothing was changed",
      hint: "wait for it to end (a prune or check); if it died on another machine, `restic unlock` removes its lock",
    },
  );
