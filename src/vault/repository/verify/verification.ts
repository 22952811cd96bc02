/**
 * Verification: is all there that the snapshots need (`structure`), and is every byte what was written (`read-data`)? Nothing is taken
 * from what an open repository believes: indexes, snapshots and trees are read anew.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../../core/ports/environment.ts";
import type { PackReads } from "../../../core/ports/vault-memory.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import type { VaultProgress } from "../../../core/ports/vault-snapshots.ts";
import type { VerifyCoverage, VerifyLimit, VerifyReport } from "../../../core/ports/vault-verification.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { BlobCache } from "../blobs/blob-cache.ts";
import { BlobReader } from "../blobs/blob-reader.ts";
import { createManyBlobs } from "../blobs/many-blobs.ts";
import { createBlobTable } from "../blobs/blob-table.ts";
import { type IndexedPack, readIndex } from "../format/index-file.ts";
import { type PackedBlob, packHeaderBytes } from "../format/pack-header.ts";
import { type StoredSnapshot, readSnapshot } from "../format/snapshot-file.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { StoreFileMissing, type StoreKind } from "../stores/store.ts";
import type { Thread } from "../threads/thread-pool.ts";
import { TaskStack } from "../threads/task-stack.ts";
import { Damage, type Draft, blobKey } from "./damage.ts";
import { type PackFacts, batchesWithin, oldestFirst } from "./pack-choice.ts";
import { ReadingPace } from "./reading-pace.ts";
import { DamageTracer, TreeCheck } from "./tree-check.ts";

type VerifyOptions = Parameters<Repository["verify"]>[0];

const coverageDays = 30;
const tasksPerThread = 2;
const cachedBytes = 16 * 1024 * 1024;

const nowSeconds = (clock: Clock): number => Math.floor(clock.now().getTime() / 1000);

class Verification {
  readonly #context: RepositoryContext;
  readonly #signal: AbortSignal;
  readonly #damage = new Damage();
  readonly #table = createBlobTable();
  readonly #blobs: BlobCache;
  /** Sizes of the packs that are there. */
  readonly #sizes = new Map<string, number>();
  /** Packs that an index names. */
  readonly #indexed = new Set<string>();
  /** Those of them that are there. */
  readonly #packs = new Map<string, PackFacts>();
  readonly #reads: PackReads;
  /** Copies that are gone or damaged. */
  readonly #lost: { readonly blob: Pick<PackedBlob, "id" | "type">; readonly packId: string; readonly draft: Draft }[] =
    [];
  /** Packs that a repair has given up, and could not take out. */
  readonly #givenUp = new Set<string>();
  readonly #pace: ReadingPace;

  constructor(
    context: RepositoryContext,
    { reads, limit }: Pick<VerifyOptions, "reads" | "limit">,
    signal: AbortSignal,
  ) {
    this.#context = context;
    // The time that is allowed runs from here: the data gets what the structure leaves.
    this.#pace = new ReadingPace(context.clock, limit?.durationMs);
    this.#reads = reads ?? new Map();
    this.#signal = signal;
    this.#blobs = new BlobCache(new BlobReader(context.store, context.sealer, this.#table), cachedBytes);
  }

  async run({ depth, limit }: VerifyOptions, job: number): Promise<VerifyReport> {
    const { store } = this.#context;
    await this.#checkKeys();
    // Before the indexes and packs: what a capture adds meanwhile is then in no snapshot that is looked at.
    const snapshots = await this.#readSnapshots();
    const indexes = await this.#names("index");
    for await (const { name, sizeBytes } of store.list("data")) this.#sizes.set(name, sizeBytes);
    for (const name of indexes) await this.#readIndex(name, (pack) => this.#checkPack(pack));
    // Only now: another pack may hold a copy.
    this.#hurtByLoss();
    for (const [packId] of this.#sizes) {
      if (this.#indexed.has(packId)) continue;
      this.#damage.add(
        "warning",
        "pack",
        packId,
        `the pack ${packId.slice(0, 8)} is in no index: a capture that is going on, or one that was killed, left it`,
      );
    }
    if (depth === "read-data") {
      await this.#readPacks(indexes, job);
      this.#hurtByLoss();
    }
    const trees = snapshots.map(({ tree }) => tree);
    const manyBlobs = createManyBlobs(store, this.#context.sealer, this.#table, this.#blobs);
    await new TreeCheck(this.#table, manyBlobs, this.#damage).check(trees, this.#signal);
    if (depth === "sample") {
      await this.#readSample(indexes, job, limit ?? {});
      this.#hurtByLoss();
    }
    for (const packId of this.#reads.keys()) if (!this.#sizes.has(packId)) this.#reads.delete(packId);
    if (this.#damage.isHurting) {
      const tracer = new DamageTracer(this.#blobs, this.#damage);
      for (const snapshot of snapshots) await tracer.trace(snapshot, this.#signal);
    }
    return {
      depth,
      snapshots: snapshots.length,
      packs: this.#sizes.size,
      blobs: this.#table.size,
      bytesRead: this.#pace.bytesRead,
      reading: depth === "structure" ? null : this.#pace.report(this.#packs),
      coverage: this.#coverage(),
      findings: this.#damage.findings((id) => this.#givenUp.has(id)),
    };
  }

  async #checkKeys(): Promise<void> {
    for await (const { name } of this.#context.store.list("keys")) {
      const content = await this.#orFinding("key", name, this.#context.store.read("keys", name));
      if (content === undefined || createHash("sha256").update(content).digest("hex") === name) continue;
      this.#damage.add(
        "error",
        "key",
        name,
        `the key ${name.slice(0, 8)} was changed: its password may no longer open the vault`,
      );
    }
  }

  async #names(kind: StoreKind): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { name } of this.#context.store.list(kind)) names.push(name);
    return names;
  }

  async #readSnapshots(): Promise<readonly StoredSnapshot[]> {
    const { store, sealer } = this.#context;
    const snapshots: StoredSnapshot[] = [];
    for (const name of await this.#names("snapshots")) {
      const snapshot = await this.#orFinding("snapshot", name, readSnapshot(store, sealer, name));
      if (snapshot !== undefined) snapshots.push(snapshot);
    }
    return snapshots;
  }

  async #readIndex(name: string, take: (pack: IndexedPack) => void): Promise<void> {
    this.#signal.throwIfAborted();
    const { store, sealer } = this.#context;
    const reading = readIndex(store, sealer, name, take, (record) => {
      if (record.kind === "damaged") for (const pack of record.packs) this.#givenUp.add(pack);
    });
    await this.#orFinding("index", name, reading);
  }

  /** A blob is hurt when no copy of it is left. */
  #hurtByLoss(): void {
    const lost = new Set(this.#lost.map(({ blob, packId }) => `${packId} ${blobKey(blob.id, blob.type)}`));
    for (const { blob, draft } of this.#lost) {
      const key = blobKey(blob.id, blob.type);
      const left = this.#table.locate(blob.id, blob.type).some(({ packId }) => !lost.has(`${packId} ${key}`));
      if (!left) this.#damage.hurt(draft, blob.id, blob.type);
    }
  }

  /** A pack's size follows from what it holds: a missing or cut one shows without being read. */
  #checkPack(pack: IndexedPack): void {
    if (this.#indexed.has(pack.id)) return;
    this.#indexed.add(pack.id);
    const size = this.#sizes.get(pack.id);
    const wanted = pack.blobs.reduce((sum, { length }) => sum + length, 0) + packHeaderBytes(pack.blobs);
    const present = pack.blobs.filter(({ offset, length }) => offset + length <= (size ?? 0));
    if (size !== undefined) {
      this.#table.place(pack.id, present);
      this.#packs.set(pack.id, { sizeBytes: size, blobs: pack.blobs.length });
    }
    if (size === wanted) return;
    const short = pack.id.slice(0, 8);
    const draft = this.#damage.add(
      "error",
      "pack",
      pack.id,
      size === undefined ? `the pack ${short} is missing` : `the pack ${short} has ${size} bytes instead of ${wanted}`,
    );
    this.#lost.push(
      ...pack.blobs.filter((blob) => !present.includes(blob)).map((blob) => ({ blob, packId: pack.id, draft })),
    );
  }

  /** Every pack. One index after the other, so that the blobs of all are never in memory at once. */
  async #readPacks(indexes: readonly string[], job: number): Promise<void> {
    const seen = new Set<string>();
    for (const name of indexes)
      await this.#readPacksOf([name], (id) => this.#packs.has(id) && !seen.has(id), seen, job);
  }

  async #readSample(indexes: readonly string[], job: number, limit: VerifyLimit): Promise<void> {
    const ordered = oldestFirst(this.#packs, this.#reads, nowSeconds(this.#context.clock));
    // What waits in a thread would still be read after the time is up.
    const perThread = limit.durationMs === undefined ? tasksPerThread : 1;
    for (const batch of batchesWithin(ordered, this.#packs, limit)) {
      if (this.#pace.isOver) return;
      await this.#readPacksOf(indexes, (id) => batch.has(id), new Set(), job, { order: [...batch], perThread });
    }
  }

  /** @param order in which they are read; by index without one */
  async #readPacksOf(
    indexes: readonly string[],
    wants: (id: string) => boolean,
    seen: Set<string>,
    job: number,
    { order, perThread = tasksPerThread }: { readonly order?: readonly string[]; readonly perThread?: number } = {},
  ): Promise<void> {
    const { pool } = this.#context;
    const found = new Map<string, IndexedPack>();
    for (const name of indexes) {
      await this.#readIndex(name, (pack) => {
        if (!wants(pack.id) || seen.has(pack.id)) return;
        seen.add(pack.id);
        found.set(pack.id, pack);
      });
    }
    const stack = new TaskStack<IndexedPack>(pool, perThread, async (pack, thread) => {
      this.#signal.throwIfAborted();
      if (this.#pace.mayBegin()) await this.#readPack(pack, thread, job);
    });
    // The newest task is worked off first: the first of the order goes in last.
    for (const id of (order ?? [...found.keys()]).toReversed()) {
      const pack = found.get(id);
      if (pack !== undefined) stack.add(pack);
    }
    await stack.drained();
  }

  async #readPack(pack: IndexedPack, thread: Thread, job: number): Promise<void> {
    const sizeBytes = this.#sizes.get(pack.id) ?? 0;
    const request = { job, packId: pack.id, sizeBytes, blobs: pack.blobs };
    const { bytesRead, problems } = await thread.call("verify-pack", request);
    this.#pace.add(bytesRead);
    for (const { blob, message } of problems) {
      const text = blob === null ? `the pack ${pack.id.slice(0, 8)}: ${message}` : message;
      const draft = this.#damage.add("error", "pack", pack.id, text);
      if (blob !== null) this.#lost.push({ blob, packId: pack.id, draft });
    }
    if (problems.length === 0) this.#reads.set(pack.id, nowSeconds(this.#context.clock));
    else this.#reads.delete(pack.id);
  }

  #coverage(): VerifyCoverage {
    const now = nowSeconds(this.#context.clock);
    const total = { packs: 0, packsRead: 0, bytes: 0, bytesRead: 0 };
    let oldest = now;
    for (const [id, { sizeBytes }] of this.#packs) {
      if (this.#givenUp.has(id)) continue;
      const readAt = this.#reads.get(id) ?? 0;
      total.packs += 1;
      total.bytes += sizeBytes;
      oldest = Math.min(oldest, readAt > now ? 0 : readAt);
      if (readAt > now || now - readAt > coverageDays * 86_400) continue;
      total.packsRead += 1;
      total.bytesRead += sizeBytes;
    }
    return { days: coverageDays, ...total, provenSince: oldest === 0 ? null : new Date(oldest * 1000).toISOString() };
  }

  /** A point that expires, a key that is exchanged, a log that is compacted: what is listed no more was taken away on purpose. */
  async #isListed({ kind, file }: StoreFileMissing): Promise<boolean> {
    return (await this.#names(kind)).includes(file);
  }

  async #orFinding<Value>(kind: string, id: string, reading: Promise<Value>): Promise<Value | undefined> {
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
      if (!(error instanceof StoreFileMissing) || (await this.#isListed(error)))
        this.#damage.add("error", kind, id, error.message);
      return undefined;
    }
  }
}

/** @throws RefloatError vault.store-failed; the signal's reason */
export const verifyRepository = async (
  context: RepositoryContext,
  options: VerifyOptions,
  signal: AbortSignal,
  progress: VaultProgress | undefined,
): Promise<VerifyReport> => {
  signal.throwIfAborted();
  const { job, end } = context.pool.beginJob((bytes, items) => progress?.({ bytes, items }));
  const tell = async (call: "job-cancel" | "job-end"): Promise<void> => {
    await Promise.allSettled(context.pool.started.map(async (thread) => thread.call(call, { job })));
  };
  const cancel = (): void => void tell("job-cancel");
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await new Verification(context, options, signal).run(options, job);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
    await tell("job-end");
    end();
  }
};
