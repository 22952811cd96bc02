/**
 * Bytes per second, up and down, over all threads that use a store. Each asks for the next free moment of a clock that they share and waits
 * until it has come; nobody is ahead of the rate by more than one piece.
 */
import { setTimeout as delay } from "node:timers/promises";

export type RateLimits = {
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
};

/** Passes between threads. Two rates, then for each the moment from which it is free. */
export type ThrottleHandle = SharedArrayBuffer;

export type Pace = {
  /** Resolves when that many bytes may go. */
  readonly upload: (bytes: number) => Promise<void>;
  readonly download: (bytes: number) => Promise<void>;
};

const [uploadRate, downloadRate, uploadFree, downloadFree, fields] = [0, 1, 2, 3, 4] as const;
const nsPerSecond = 1_000_000_000n;
/** A wait that is shorter costs more than it spreads. */
const leastWaitMs = 1;

/** @returns undefined if there is no limit */
export const createThrottle = (limits: RateLimits): ThrottleHandle | undefined => {
  const { uploadBytesPerSecond: up, downloadBytesPerSecond: down } = limits;
  if (up === undefined && down === undefined) return undefined;
  const handle = new SharedArrayBuffer(fields * BigInt64Array.BYTES_PER_ELEMENT);
  const values = new BigInt64Array(handle);
  values[uploadRate] = BigInt(up ?? 0);
  values[downloadRate] = BigInt(down ?? 0);
  return handle;
};

/** @param nowNs monotonic, and the same in every thread */
export const throttlePace = (handle: ThrottleHandle, nowNs = (): bigint => process.hrtime.bigint()): Pace => {
  const values = new BigInt64Array(handle);
  const wait = async (rateField: number, freeField: number, bytes: number): Promise<void> => {
    const rate = Atomics.load(values, rateField);
    if (rate === 0n) return;
    const cost = (BigInt(bytes) * nsPerSecond) / rate;
    for (;;) {
      const now = nowNs();
      const free = Atomics.load(values, freeField);
      const begin = free > now ? free : now;
      if (Atomics.compareExchange(values, freeField, free, begin + cost) !== free) continue;
      const waitMs = Number((begin - now) / 1_000_000n);
      if (waitMs >= leastWaitMs) await delay(waitMs);
      return;
    }
  };
  return {
    upload: async (bytes) => wait(uploadRate, uploadFree, bytes),
    download: async (bytes) => wait(downloadRate, downloadFree, bytes),
  };
};
