/** Removes a file if the store lets go of it. A locked one is not even tried: a bucket with versions would only hide it, and it is still needed. */
import type { Clock } from "../../../core/ports/environment.ts";
import { toRefloatError } from "../../../model/refloat-error.ts";
import { type Store, StoreFileMissing, type StoreKind } from "../stores/store.ts";

const refusals: ReadonlySet<string> = new Set(["vault.store-failed", "vault.denied"]);

/** What stays, and why. */
export type Kept = {
  readonly reason: string;
  /** For a lock alone: its end. */
  readonly until: string | null;
};

const lockEnd = async (store: Store, kind: StoreKind, name: string, clock: Clock): Promise<string | null> => {
  if (store.retention === undefined) return null;
  try {
    const lock = await store.retention.lockOf(kind, name);
    if (lock === null || lock.until <= clock.now()) return null;
    return lock.until.toISOString();
  } catch (error) {
    if (error instanceof StoreFileMissing) return null;
    throw error;
  }
};

/** Asks, and removes nothing. @returns what a lock says against its removal; null if none does */
export const heldByLock = async (store: Store, kind: StoreKind, name: string, clock: Clock): Promise<Kept | null> =>
  orKept(async () => {
    const until = await lockEnd(store, kind, name, clock);
    return until === null ? null : { reason: `${kind}/${name.slice(0, 8)} is locked until ${until}`, until };
  });

/** @returns why it stays; null when it is gone */
export const letGo = async (store: Store, kind: StoreKind, name: string, clock: Clock): Promise<Kept | null> =>
  orKept(async () => {
    const held = await heldByLock(store, kind, name, clock);
    if (held === null) await store.remove(kind, name);
    return held;
  });

/** For what is damaged: a bucket may hide it, whatever its lock. @returns why it stays; null when it is gone or hidden */
export const takeOut = async (store: Store, kind: StoreKind, name: string): Promise<string | null> =>
  (
    await orKept(async () => {
      await store.remove(kind, name);
      return null;
    })
  )?.reason ?? null;

const orKept = async (act: () => Promise<Kept | null>): Promise<Kept | null> => {
  try {
    return await act();
  } catch (error) {
    const { code, message } = toRefloatError(error);
    if (!refusals.has(code)) throw error;
    return { reason: message, until: null };
  }
};
