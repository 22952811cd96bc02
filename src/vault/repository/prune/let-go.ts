/** Removes a file if the store lets go of it. A locked one is not even tried: a bucket with versions would only hide it, and it is still needed. */
import type { Clock } from "../../../core/ports/environment.ts";
import { toRefloatError } from "../../../model/refloat-error.ts";
import { type Store, StoreFileMissing, type StoreKind } from "../stores/store.ts";

const refusals: ReadonlySet<string> = new Set(["vault.store-failed", "vault.denied"]);

/** @returns what lock is in force; null if there is none */
export const whyHeld = async (store: Store, kind: StoreKind, name: string, clock: Clock): Promise<string | null> => {
  if (store.retention === undefined) return null;
  try {
    const lock = await store.retention.lockOf(kind, name);
    if (lock === null || lock.until <= clock.now()) return null;
    return `${kind}/${name.slice(0, 8)} is locked until ${lock.until.toISOString()}`;
  } catch (error) {
    if (error instanceof StoreFileMissing) return null;
    throw error;
  }
};

/** @returns why it stays; null when it is gone */
export const letGo = async (store: Store, kind: StoreKind, name: string, clock: Clock): Promise<string | null> =>
  orReason(async () => {
    const reason = await whyHeld(store, kind, name, clock);
    if (reason !== null) return reason;
    await store.remove(kind, name);
    return null;
  });

/** For what is damaged: a bucket may hide it, whatever its lock. @returns why it stays; null when it is gone or hidden */
export const takeOut = async (store: Store, kind: StoreKind, name: string): Promise<string | null> =>
  orReason(async () => {
    await store.remove(kind, name);
    return null;
  });

const orReason = async (act: () => Promise<string | null>): Promise<string | null> => {
  try {
    return await act();
  } catch (error) {
    const { code, message } = toRefloatError(error);
    if (!refusals.has(code)) throw error;
    return message;
  }
};
