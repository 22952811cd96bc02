/**
 * Tries again what failed by an error that is worth it, as the error catalogue says: a server that does not answer, a connection that was
 * lost. Every act of a store may be repeated, since names say what a file holds. Never for a refusal, damage or a full disk.
 */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { gatherFile } from "../gathered-file.ts";
import type { Store, StoreKind, StoreRetention } from "../store.ts";

/** About a minute in all: a router that restarts, not a night. */
const waitsMs = [250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000];

export type RetryOptions = {
  /** How long to wait before each further try, at most; without it for about a minute. */
  readonly waitsMs?: readonly number[];
  readonly retried?: () => void;
};

export const retryingStore = (store: Store, options: RetryOptions = {}): Store => {
  const waits = options.waitsMs ?? waitsMs;
  const closing = new AbortController();

  /** Half of it at least, the rest by chance, so that many who lost the same server do not all come back at once. */
  const pause = async (longestMs: number): Promise<void> => {
    options.retried?.();
    const half = Math.ceil(longestMs / 2);
    await delay(half + randomInt(half + 1), undefined, { signal: closing.signal });
  };
  const isWorthIt = (error: unknown, tries: number): boolean =>
    error instanceof RefloatError && error.retryable && tries < waits.length && !closing.signal.aborted;
  /** With the wait broken off, the failure itself is what a caller should hear of. */
  const pauseAfter = async (error: unknown, tries: number): Promise<void> => {
    if (!isWorthIt(error, tries)) throw error;
    try {
      await pause(waits[tries] ?? 0);
    } catch {
      throw error;
    }
  };
  const retry = async <Result>(act: () => Promise<Result>): Promise<Result> => {
    for (let tries = 0; ; tries += 1) {
      try {
        return await act();
      } catch (error) {
        await pauseAfter(error, tries);
      }
    }
  };
  const write = async (kind: StoreKind, name: string, content: Uint8Array): Promise<void> =>
    retry(async () => store.write(kind, name, content));

  const retryRetention = (retention: StoreRetention): StoreRetention => ({
    ...retention,
    support: async () => retry(async () => retention.support()),
    lock: async (...file) => retry(async () => retention.lock(...file)),
    lockOf: async (kind, name) => retry(async () => retention.lockOf(kind, name)),
    lockOfContent: async (...file) => retry(async () => retention.lockOfContent(...file)),
    writeLocked: async (kind, name, content, lock) =>
      retry(async () => retention.writeLocked(kind, name, content, lock)),
  });

  return {
    location: store.location,
    ...(store.retention === undefined ? {} : { retention: retryRetention(store.retention) }),
    async *list(kind) {
      const told = new Set<string>();
      for (let tries = 0; ; tries += 1) {
        try {
          for await (const file of store.list(kind)) {
            // A listing that broke off begins again, but tells nothing twice.
            if (told.has(file.name)) continue;
            told.add(file.name);
            yield file;
          }
          return;
        } catch (error) {
          await pauseAfter(error, tries);
        }
      }
    },
    stat: async (kind, name) => retry(async () => store.stat(kind, name)),
    read: async (kind, name) => retry(async () => store.read(kind, name)),
    readRange: async (kind, name, offset, length, into) =>
      retry(async () => store.readRange(kind, name, offset, length, into)),
    write,
    // A file of the store itself could not be sent a second time.
    begin: (kind) => gatherFile(async (name, content) => write(kind, name, content)),
    remove: async (kind, name) => retry(async () => store.remove(kind, name)),
    sweep: async () => retry(async () => store.sweep()),
    close: async () => {
      closing.abort();
      await store.close();
    },
  };
};
