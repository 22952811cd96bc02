/** One lock file of ours: written anew at intervals, so that nobody takes us for dead, and removed in the end. */
import { randomUUID } from "node:crypto";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type LockRole, type LockSession, staleMs, writeLock } from "./lock-file.ts";
import type { RepositoryLockOptions } from "./repository-lock.ts";

const refreshMs = 5 * 60 * 1000;

const ignoreHangUp = (): void => undefined;

export class AcquiredLock {
  readonly #options: RepositoryLockOptions;
  readonly #session: LockSession;
  #name: string;
  #writtenMs: number;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();

  private constructor(options: RepositoryLockOptions, session: LockSession, name: string, writtenMs: number) {
    this.#options = options;
    this.#session = session;
    this.#name = name;
    this.#writtenMs = writtenMs;
  }

  static async write(options: RepositoryLockOptions, role: LockRole): Promise<AcquiredLock> {
    const nowMs = options.clock.now().getTime();
    const session = { session: randomUUID(), role };
    return new AcquiredLock(options, session, await writeFile(options, session, nowMs), nowMs);
  }

  get name(): string {
    return this.#name;
  }

  get session(): string {
    return this.#session.session;
  }

  keepFresh(): void {
    // restic asks by SIGHUP whether the holder of a lock lives, and ignores that signal itself.
    process.on("SIGHUP", ignoreHangUp);
    this.#timer = setInterval(() => {
      this.#refreshing = this.refresh();
    }, refreshMs).unref();
  }

  /** A new file, then the old one goes: at no time is there none. A failure is logged; the next turn tries again. */
  async refresh(): Promise<void> {
    const { clock, store, log } = this.#options;
    const old = this.#name;
    const nowMs = clock.now().getTime();
    try {
      this.#name = await writeFile(this.#options, this.#session, nowMs);
      this.#writtenMs = nowMs;
      await store.remove("locks", old);
    } catch (error) {
      log.warn("the vault's lock could not be refreshed", { error: String(error) });
    }
  }

  /**
   * Before anything that relies on nobody having pruned: the machine may have slept for hours.
   * @throws RefloatError vault.locked
   */
  requireFresh(): void {
    if (this.#options.clock.now().getTime() - this.#writtenMs < staleMs) return;
    throw new RefloatError(
      "vault.locked",
      "our lock of the vault went stale, and another may have pruned it meanwhile",
      {
        state: "nothing was committed",
        hint: "the machine slept, or the vault could not be written for half an hour; capture again",
      },
    );
  }

  async remove(): Promise<void> {
    clearInterval(this.#timer);
    process.off("SIGHUP", ignoreHangUp);
    await this.#refreshing;
    try {
      await this.#options.store.remove("locks", this.#name);
    } catch (error) {
      // The work is done and durable; the lock goes stale by itself.
      this.#options.log.warn("the vault's lock could not be removed", { error: String(error) });
    }
  }
}

const writeFile = async (
  { store, sealer, version, owner }: RepositoryLockOptions,
  refloat: LockSession,
  timeMs: number,
): Promise<string> =>
  writeLock(store, sealer, version, { ...owner, timeMs, exclusive: refloat.role === "sweep", refloat });
