/** How a store was used, counted over all threads: what was asked of it, how much went through, how long it took, how often it failed. */

export const storeActs = ["list", "stat", "read", "write", "remove", "sweep"] as const;
export type StoreAct = (typeof storeActs)[number];

/** Passes between threads. */
export type StoreUseHandle = SharedArrayBuffer;

const [calls, failures, bytes, nanoseconds, slowest, fieldsPerAct] = [0, 1, 2, 3, 4, 5] as const;
const retriesField = storeActs.length * fieldsPerAct;

export const createStoreUse = (): StoreUseHandle =>
  new SharedArrayBuffer((retriesField + 1) * BigInt64Array.BYTES_PER_ELEMENT);

export type StoreUseCounter = {
  /** Takes the time from now on. @returns to be told of the end once */
  readonly begin: (act: StoreAct) => (outcome: { readonly bytes: number; readonly failed: boolean }) => void;
  readonly countRetry: () => void;
};

export const storeUseCounter = (handle: StoreUseHandle): StoreUseCounter => {
  const values = new BigInt64Array(handle);
  return {
    begin: (act) => {
      const first = storeActs.indexOf(act) * fieldsPerAct;
      const began = process.hrtime.bigint();
      return (outcome) => {
        const took = process.hrtime.bigint() - began;
        Atomics.add(values, first + calls, 1n);
        if (outcome.failed) Atomics.add(values, first + failures, 1n);
        Atomics.add(values, first + bytes, BigInt(outcome.bytes));
        Atomics.add(values, first + nanoseconds, took);
        for (;;) {
          const longest = Atomics.load(values, first + slowest);
          if (took <= longest || Atomics.compareExchange(values, first + slowest, longest, took) === longest) break;
        }
      };
    },
    countRetry: () => {
      Atomics.add(values, retriesField, 1n);
    },
  };
};

export type StoreUse = {
  readonly retries: number;
  readonly acts: Readonly<
    Partial<
      Record<
        StoreAct,
        {
          readonly calls: number;
          readonly failures: number;
          readonly bytes: number;
          /** Summed up; calls run beside each other. */
          readonly totalMs: number;
          readonly slowestMs: number;
        }
      >
    >
  >;
};

const toMs = (ns: bigint): number => Number(ns / 1000n) / 1000;

/** Acts that were never asked for are left out. */
export const readStoreUse = (handle: StoreUseHandle): StoreUse => {
  const values = new BigInt64Array(handle);
  const at = (field: number): bigint => Atomics.load(values, field);
  const acts = storeActs.flatMap((act, index) => {
    const first = index * fieldsPerAct;
    if (at(first + calls) === 0n) return [];
    const use = {
      calls: Number(at(first + calls)),
      failures: Number(at(first + failures)),
      bytes: Number(at(first + bytes)),
      totalMs: toMs(at(first + nanoseconds)),
      slowestMs: toMs(at(first + slowest)),
    };
    return [[act, use] as const];
  });
  return { retries: Number(at(retriesField)), acts: Object.fromEntries(acts) };
};
