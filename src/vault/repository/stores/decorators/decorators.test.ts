/** Each decorator passes what every store passes, and does the one thing that it is for. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FaultKind, faultyStore, seededRandom } from "../../../../testing/faulty-store.ts";
import { describeStoreContract } from "../../../../testing/store-contract.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { createLocalStore, openLocalStore } from "../local-store.ts";
import { openStore } from "../open-store.ts";
import type { Store } from "../store.ts";
import { measuredStore } from "./measured-store.ts";
import { pacedStore } from "./paced-store.ts";
import { retryingStore } from "./retrying-store.ts";
import { createStoreUse, readStoreUse, storeUseCounter } from "./store-use.ts";
import { createThrottle, throttlePace } from "./throttle.ts";

const named = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");
const waitsMs = [1, 1, 1, 1, 1, 1];
const freely = { upload: async () => undefined, download: async () => undefined };

const decorators: Readonly<Record<string, (store: Store) => Store>> = {
  retrying: (store) => retryingStore(store, { waitsMs }),
  measured: (store) => measuredStore(store, storeUseCounter(createStoreUse())),
  paced: (store) => pacedStore(store, freely),
};

for (const [title, decorate] of Object.entries(decorators)) {
  describeStoreContract(`${title}, local`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "refloat-store-"));
    return {
      store: decorate(await createLocalStore(folder, { blocking: false })),
      reopen: () => decorate(openLocalStore(folder, { blocking: false })),
      // What a killed writer leaves is the local store's own affair; here it has to be swept through the decorator.
      leaveHalfWritten: async () => leaveStale(folder),
      cleanUp: async () => rm(folder, { recursive: true, force: true }),
    };
  });
}

/** A worker thread cannot be killed alone, so the name is that of a process that is gone. */
const leaveStale = async (folder: string): Promise<void> => {
  const { writeFile } = await import("node:fs/promises");
  const { temporaryName } = await import("../temporary-name.ts");
  const { hostname } = await import("node:os");
  await writeFile(join(folder, "tmp", temporaryName(hostname(), 4_194_303, "ab")), "half");
};

describe("decorators of a store", () => {
  let folder: string;
  let plain: Store;
  const content = randomBytes(200_000);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-store-"));
    plain = await createLocalStore(folder, { blocking: false });
    await plain.write("data", named(content), content);
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Fails in the given way as often as `times` says, then no more. */
  const failing = (fault: FaultKind, times: number): Store => {
    let left = times;
    return faultyStore(plain, {
      random: seededRandom(1),
      draw: () => {
        left -= 1;
        return left >= 0 ? fault : undefined;
      },
    });
  };

  it("tries locks again, since a point is not made without them", async () => {
    const away = new RefloatError("vault.unreachable", "the server does not answer");
    let left = 0;
    const failing = async <Result>(result: Result): Promise<Result> => {
      left -= 1;
      if (left >= 0) throw away;
      return result;
    };
    const lock = { until: new Date("2030-01-01T00:00:00Z"), mode: "governance" } as const;
    const locking: Store = Object.assign(Object.create(plain) as Store, {
      retention: {
        support: () => failing({ locks: true, reason: null, keptBy: "server" }),
        lock: () => failing(lock),
        lockOf: () => failing(lock),
        lockOfContent: () => failing(lock),
        writeLocked: () => failing(undefined),
      } satisfies Store["retention"],
    });
    const { retention } = retryingStore(locking, { waitsMs });
    for (const act of [
      () => retention?.support(),
      () => retention?.lock("data", "a", lock),
      () => retention?.lockOf("data", "a"),
      () => retention?.lockOfContent("data", "a", 1),
      () => retention?.writeLocked("data", "a", content, lock),
    ]) {
      left = 2;
      await act();
      expect(left).toBe(-1);
      left = waitsMs.length + 1;
      await expect(act()).rejects.toBe(away);
    }
  });

  it("tries again until it works, and counts how often", async () => {
    let retries = 0;
    const retried = (): void => void (retries += 1);
    const other = randomBytes(1000);
    expect(await retryingStore(failing("unreachable", 3), { waitsMs, retried }).read("data", named(content))).toEqual(
      content,
    );
    expect(retries).toBe(3);
    await retryingStore(failing("lost-answer", 2), { waitsMs }).write("index", named(other), other);
    expect(await plain.read("index", named(other))).toEqual(other);
    await retryingStore(failing("lost-answer", 2), { waitsMs }).remove("index", named(other));
    await expect(plain.stat("index", named(other))).rejects.toMatchObject({ code: "vault.damaged" });
  });

  it("builds a file again from its parts after its answer was lost", async () => {
    const pending = retryingStore(failing("lost-answer", 2), { waitsMs }).begin("data");
    const parts = [randomBytes(100_000), randomBytes(17)];
    for (const part of parts) pending.append(part);
    const whole = Buffer.concat(parts);
    await pending.finish(named(whole));
    expect(await plain.read("data", named(whole))).toEqual(whole);
  });

  it("lists each file once although the listing broke off", async () => {
    const others = Array.from({ length: 5 }, () => randomBytes(10));
    for (const other of others) await plain.write("index", named(other), other);
    const found: string[] = [];
    for await (const { name } of retryingStore(failing("lost-answer", 2), { waitsMs }).list("index")) found.push(name);
    expect(found.sort()).toEqual(others.map(named).sort());
  });

  it("gives up with the failure itself", async () => {
    await expect(
      retryingStore(failing("unreachable", 99), { waitsMs }).read("data", named(content)),
    ).rejects.toMatchObject({ code: "vault.unreachable" });
  });

  it.each(["failed", "no-space", "short-read", "no-file"] as const)("does not try again after %s", async (fault) => {
    let retries = 0;
    const store = retryingStore(failing(fault, 1), { waitsMs, retried: () => void (retries += 1) });
    const act =
      fault === "no-space" ? store.write("data", named(content), content) : store.read("data", named(content));
    await expect(act).rejects.toBeInstanceOf(RefloatError);
    expect(retries).toBe(0);
  });

  it("does not wait any longer once it is closed", async () => {
    const store = retryingStore(failing("unreachable", 99), { waitsMs: [3_600_000] });
    const reading = store.read("data", named(content));
    reading.catch(() => undefined);
    await store.close();
    await expect(reading).rejects.toMatchObject({ code: "vault.unreachable" });
  });

  it("counts calls, bytes and failures, but takes a missing file for an answer", async () => {
    const use = createStoreUse();
    const store = measuredStore(failing("failed", 1), storeUseCounter(use));
    await expect(store.read("data", named(content))).rejects.toBeInstanceOf(RefloatError);
    await store.read("data", named(content));
    await store.readRange("data", named(content), 5, 1000);
    await expect(store.read("data", "0".repeat(64))).rejects.toBeInstanceOf(RefloatError);
    const pending = store.begin("index");
    pending.append(Buffer.of(1, 2, 3));
    await pending.finish("a".repeat(64));
    for await (const _file of store.list("data"));
    expect(readStoreUse(use)).toMatchObject({
      retries: 0,
      acts: {
        read: { calls: 4, failures: 1, bytes: 201_000 },
        write: { calls: 1, failures: 0, bytes: 3 },
        list: { calls: 1, failures: 0, bytes: 0 },
      },
    });
    expect(readStoreUse(use).acts.read?.slowestMs).toBeGreaterThan(0);
    expect(readStoreUse(use).acts.remove).toBeUndefined();
  });

  it("is what openStore gives: counted, and within the rates that were asked for", async () => {
    const use = createStoreUse();
    const throttle = createThrottle({ downloadBytesPerSecond: 2_000_000 });
    const store = openStore(folder, {
      blocking: true,
      settings: { use, ...(throttle === undefined ? {} : { throttle }) },
    });
    const began = performance.now();
    for (let turn = 0; turn < 5; turn += 1) await store.readRange("data", named(content), 0, 200_000);
    // The first piece goes at once; no machine is so fast that the other four take less than their time.
    expect(performance.now() - began).toBeGreaterThan(380);
    expect(readStoreUse(use).acts.read).toMatchObject({ calls: 5, bytes: 1_000_000 });
  });
});

describe("a rate", () => {
  it("gives each the next free moment, and nobody two", async () => {
    const handle = createThrottle({ uploadBytesPerSecond: 1_000_000 });
    if (handle === undefined) throw new Error("there is a limit");
    let nowNs = 0n;
    const pace = throttlePace(handle, () => nowNs);
    await pace.upload(10_000);
    // Ten milliseconds are spoken for, which have gone by when the next asks.
    nowNs = 10_000_000n;
    await pace.upload(1000);
    await pace.download(1_000_000_000);
    const values = new BigInt64Array(handle);
    expect(values[2]).toBe(11_000_000n);
    expect(createThrottle({})).toBeUndefined();
  });

  it("is kept over all threads together", async () => {
    const handle = createThrottle({ uploadBytesPerSecond: 1_000_000 });
    const script = `
      const { workerData } = require("node:worker_threads");
      import(${JSON.stringify(new URL("throttle.ts", import.meta.url).href)}).then(async ({ throttlePace }) => {
        const pace = throttlePace(workerData);
        for (let turn = 0; turn < 10; turn += 1) await pace.upload(10_000);
      });
    `;
    const began = performance.now();
    await Promise.all(
      [1, 2, 3].map(
        async () =>
          new Promise<void>((resolve, reject) => {
            const worker = new Worker(script, { eval: true, workerData: handle });
            worker.once("error", reject);
            worker.once("exit", () => resolve());
          }),
      ),
    );
    expect(performance.now() - began).toBeGreaterThan(280);
  });
});
