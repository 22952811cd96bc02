/** One lock file of ours: written anew at intervals, so that nobody takes us for dead, and removed in the end. */
import { randomUUID } from "node:crypto";
import { RefloatError } from "../../../model/refloat-error.ts";
import { staleMs } from "./lock-age.ts";
import { type LockRole, type LockSession, writeLock } from "./lock-file.ts";
import type { RepositoryLockOptions } from "./repository-lock.ts";

const refreshMs = 5 * 60 * 1000;

const ignoreHangUp = (): void => undefined;

export class AcquiredLock {
  readonly #options: RepositoryLockOptions;
  readonly #session: LockSession;
  #name: string;
  #written: Instant;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();

  private constructor(options: RepositoryLockOptions, session: LockSession, name: string, written: Instant) {
    this.#options = options;
    this.#session = session;
    this.#name = name;
    this.#written = written;
  }

  static async write(options: RepositoryLockOptions, role: LockRole): Promise<AcquiredLock> {
    const { machine, startTicks } = options.owner;
    const now = instantOf(options);
    const session = { session: randomUUID(), role, machine, startTicks };
    return new AcquiredLock(options, session, await writeFile(options, session, now), now);
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
    const { store, log } = this.#options;
    const old = this.#name;
    const now = instantOf(this.#options);
    try {
      this.#name = await writeFile(this.#options, this.#session, now);
      this.#written = now;
      await store.remove("locks", old);
    } catch (error) {
      log.warn("the vault's lock could not be refreshed", { error: String(error) });
    }
  }

  /**
   * Before anything that relies on nobody having pruned: the machine may have slept for hours, which only the wall clock tells, or its wall
   * clock may have been set back.
   * @throws RefloatError vault.locked
   */
  requireFresh(): void {
    const { wallMs, monotonicMs } = instantOf(this.#options);
    if (wallMs - this.#written.wallMs < staleMs && monotonicMs - this.#written.monotonicMs < staleMs) return;
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

type Instant = { readonly wallMs: number; readonly monotonicMs: number };

const instantOf = ({ clock }: RepositoryLockOptions): Instant => ({
  wallMs: clock.now().getTime(),
  monotonicMs: clock.monotonicMs(),
});

const writeFile = async (
  { store, sealer, version, owner: { hostname, username, pid } }: RepositoryLockOptions,
  refloat: LockSession,
  { wallMs }: Instant,
): Promise<string> =>
  writeLock(store, sealer, version, {
    hostname,
    username,
    pid,
    timeMs: wallMs,
    exclusive: refloat.role === "sweep",
    refloat,
  });
