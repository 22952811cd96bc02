/** The inside of a worker thread: answers calls of the main thread, one after the other where they share a buffer. */
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { RefloatError } from "../../../model/refloat-error.ts";
import { BlobReader } from "../blobs/blob-reader.ts";
import { BlobTable } from "../blobs/blob-table.ts";
import { cachedViews } from "../cache/caching-stores.ts";
import { BlobSaver } from "../capture/blob-saver.ts";
import { ChunkParcels } from "../capture/chunk-parcels.ts";
import type { Pause } from "../capture/entry-capture.ts";
import { FileCapture } from "../capture/file-capture.ts";
import { FolderCapture } from "../capture/folder-capture.ts";
import { StreamIntake } from "../capture/stream-intake.ts";
import { createExtractor } from "../extract/extractor.ts";
import { createOrderedBlobs } from "../blobs/ordered-blobs.ts";
import { Sealer } from "../seal/seal.ts";
import { openStore } from "../stores/open-store.ts";
import { unpackSettings } from "../stores/store-settings.ts";
import type { Store } from "../stores/store.ts";
import { createPackVerifier } from "../verify/pack-verifier.ts";
import { Kernel } from "../wasm/kernel.ts";
import type { FromThread, ThreadCall, ThreadCalls, ThreadData, ToThread } from "./calls.ts";
import { packError } from "./portable-error.ts";

type Handlers = {
  readonly [Call in ThreadCall]: (
    request: ThreadCalls[Call]["request"],
  ) => ThreadCalls[Call]["reply"] | Promise<ThreadCalls[Call]["reply"]>;
};

/** How long a thread works before others of its tasks, and the disk's answers, get their turn. */
const turnMs = 20;
/** As often as a person can follow. */
const progressPeriodMs = 100;

/** Runs acts one at a time, in the order in which they were asked for. */
const createQueue = () => {
  let last: Promise<unknown> = Promise.resolve();
  return async <Result>(act: () => Promise<Result>): Promise<Result> => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
};

/** Progress that was not told yet is gathered: a message for each small folder would wake the main thread as often. */
const createProgress = (send: (message: FromThread) => void) => {
  const jobs = new Map<number, { bytes: number; items: number; toldMs: number }>();
  const count = (job: number, bytes: number, items: number): void => {
    const known = jobs.get(job);
    if (known === undefined) {
      jobs.set(job, { bytes, items, toldMs: 0 });
      return;
    }
    known.bytes += bytes;
    known.items += items;
  };
  const tell = (job: number, nowMs: number): void => {
    const known = jobs.get(job);
    if (known === undefined || nowMs - known.toldMs < progressPeriodMs) return;
    const { bytes, items } = known;
    if (bytes > 0 || items > 0) send({ kind: "progress", job, bytes, items });
    Object.assign(known, { bytes: 0, items: 0, toldMs: nowMs });
  };
  const tellRest = (job: number): void => {
    tell(job, Number.POSITIVE_INFINITY);
    jobs.delete(job);
  };
  return { count, tell, tellRest };
};

/** Puts something before the store of a thread, such as faults in a test. */
export type DecorateStore = (store: Store) => Store;

const createThread = (data: ThreadData, send: (message: FromThread) => void, decorate: DecorateStore) => {
  const store = decorate(openStore(data.location, { blocking: true, settings: unpackSettings(data.settings) }));
  const kernel = new Kernel();
  const sealer = new Sealer(data.masterKey, kernel);
  const table = new BlobTable(data.table);
  const { trees } = cachedViews(store, data.settings.cache, () => undefined);
  const saver = new BlobSaver(table, { store, sealer, finished: (pack) => send({ kind: "pack", pack }) }, trees);
  const parcels = new ChunkParcels(data.parcels);
  const streams = new StreamIntake(saver, parcels, kernel, data.polynomial);
  const blobs = new BlobReader(store, sealer, table, trees);
  const folders = new FolderCapture(saver, blobs, new FileCapture(saver, kernel, data.polynomial));
  const extract = createExtractor(store, sealer, table, blobs);
  const verifyPack = createPackVerifier(store, sealer);
  const orderedBlobs = createOrderedBlobs(store, sealer, table, blobs);
  const eachTree = async function* (ids: Iterable<string>): AsyncGenerator<Buffer> {
    for (const id of ids) yield blobs.read(id, "tree");
  };
  const queue = createQueue();
  const cancelled = new Set<number>();

  const refuseCancelled = (job: number): void => {
    if (cancelled.has(job)) throw new RefloatError("bug", "the work was cancelled, and nobody should hear of it");
  };

  const { count, tell, tellRest } = createProgress(send);

  /** Waits for the disk, and lets other tasks have a turn now and then. */
  const pauseFor = (job: number): Pause => {
    let began = performance.now();
    return async (bytes, items) => {
      count(job, bytes, items);
      const now = performance.now();
      if (now - began < turnMs) return;
      tell(job, now);
      await saver.settle();
      await setImmediate();
      refuseCancelled(job);
      began = performance.now();
    };
  };

  const oneAtATime = async <Result>(job: number, act: (pause: Pause) => Promise<Result>) =>
    queue(async () => {
      refuseCancelled(job);
      const result = await act(pauseFor(job));
      tell(job, performance.now());
      await saver.settle();
      return result;
    });

  const handlers: Handlers = {
    "stream-open": ({ stream, slots, mayHandOver }) => streams.open(stream, slots, mayHandOver),
    "stream-bytes": async ({ stream, offset, length }) => {
      streams.take(stream, offset, length);
      await saver.settle();
      return { handed: streams.handOver(stream) };
    },
    "save-chunk": async ({ parcel, length }) => {
      const saved = saver.save(parcels.open(parcel, length), "data");
      await saver.settle();
      return saved;
    },
    "stream-end": ({ stream }) => streams.end(stream),
    "stream-discard": ({ stream }) => streams.discard(stream),
    "walk-begin": (start) => oneAtATime(start.walk, async (pause) => folders.begin(start, pause)),
    "walk-folder": (task) => oneAtATime(task.walk, async (pause) => folders.capture(task, pause)),
    "extract-nodes": (task) => oneAtATime(task.job, async (pause) => extract(task, pause)),
    "verify-pack": (task) => oneAtATime(task.job, async (pause) => verifyPack(task, pause)),
    "job-cancel": ({ job }) => {
      cancelled.add(job);
      return null;
    },
    "job-end": ({ job }) => {
      tellRest(job);
      cancelled.delete(job);
      folders.end(job);
      return null;
    },
    "save-blob": async ({ type, bytes }) => {
      const saved = saver.save(bytes, type);
      await saver.settle();
      return saved;
    },
    "read-blob": async ({ id, type }) => blobs.read(id, type),
    "copy-blobs": ({ type, ids }) =>
      queue(async () => {
        let bytes = 0;
        // Trees lie together in few packs, which may be nearby; data is read in large steps.
        const contents = type === "data" ? orderedBlobs(ids) : eachTree(ids);
        for (const id of ids) {
          const next = await contents.next();
          if (next.done === true) throw new RefloatError("bug", "blobs to copy ended early");
          bytes += saver.copy(id, type, next.value);
          await saver.settle();
        }
        return { bytes };
      }),
    "drop-packs": async () => {
      await saver.drop();
      return null;
    },
    flush: async () => {
      await saver.flush();
      return null;
    },
  };
  const end = async (): Promise<void> => {
    try {
      await saver.drop();
    } finally {
      await trees.close();
      await store.close();
    }
  };
  return { handlers, end };
};

/** A reply that is bytes alone moves instead of being copied, if nothing else lies in the same memory. */
const owned = (value: unknown): ArrayBuffer[] =>
  value instanceof Uint8Array && value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength
    ? [value.buffer]
    : [];

export const runVaultThread = (decorate: DecorateStore = (store) => store): void => {
  const port = parentPort;
  if (port === null) throw new RefloatError("bug", "the vault's worker was started as a program of its own");
  const { handlers, end } = createThread(workerData as ThreadData, (message) => port.postMessage(message), decorate);
  port.on("message", (message: ToThread) => {
    if (message.call === "end") {
      void end().finally(() => port.close());
      return;
    }
    const { number, call, request } = message;
    const handle = handlers[call] as (request: unknown) => unknown;
    const answer = async (): Promise<void> => {
      try {
        const value = await handle(request);
        port.postMessage({ kind: "reply", number, value } satisfies FromThread, owned(value));
      } catch (error) {
        port.postMessage({ kind: "failed", number, error: packError(error) } satisfies FromThread);
      }
    };
    void answer();
  });
};
