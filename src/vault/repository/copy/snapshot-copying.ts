/**
 * Takes in snapshots of another vault, whatever its key. The order keeps every moment harmless: packs, each read back and held against its
 * name and its blobs; the index that names them; the snapshots, the last one last. A copy that was killed leaves packs and indexes that the
 * next one finds and uses.
 */
import pLimit from "p-limit";
import type { CopyReceipt, CopySource, SnapshotCopying } from "../../../core/ports/vault-copying.ts";
import type { VaultProgress } from "../../../core/ports/vault-snapshots.ts";
import type { SnapshotId } from "../../../model/identifiers.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { createBlobTable } from "../blobs/blob-table.ts";
import { damagedBlob } from "../blobs/blob-reader.ts";
import { clearFailure } from "../capture/capture-state.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { type BlobType, packHeaderBytes } from "../format/pack-header.ts";
import { writeSnapshotCopy } from "../format/snapshot-file.ts";
import { decodeTree } from "../format/tree-decoder.ts";
import { eachOf } from "../../../platform/each-of.ts";
import type { HeldLock } from "../locks/repository-lock.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { lockedTarget } from "../retention/vault-locks.ts";
import type { SnapshotFiles } from "../snapshot-files.ts";

/** So many trees are known before they are read, so that those which lie together are read together. */
const treesPerBatch = 256;
/** So many ids are gathered before their blobs are copied. */
const blobsPerBatch = 4096;
/** What a kill can cost: packs that were not yet read back are written again. */
const settledAfterBytes = 256 * 1024 * 1024;

type CopyingParts = { readonly source: CopySource; readonly held: HeldLock; readonly dryRun: boolean };

type WantedSnapshot = Parameters<SnapshotCopying["add"]>[0][number] & Awaited<ReturnType<CopySource["snapshot"]>>;

class RepositoryCopying implements SnapshotCopying {
  readonly #context: RepositoryContext;
  readonly #snapshots: SnapshotFiles;
  readonly #source: CopySource;
  readonly #held: HeldLock;
  readonly #dryRun: boolean;
  /** Used as a set: what was looked at, and with it all below. */
  #seen = createBlobTable();
  #present: Set<string> | undefined;
  #closed = false;

  constructor(context: RepositoryContext, snapshots: SnapshotFiles, { source, held, dryRun }: CopyingParts) {
    this.#context = context;
    this.#snapshots = snapshots;
    this.#source = source;
    this.#held = held;
    this.#dryRun = dryRun;
    context.captures.begin();
  }

  readonly add: SnapshotCopying["add"] = async (snapshots, { lock }, signal, progress) => {
    try {
      const present = await this.#ids();
      const wanted: WantedSnapshot[] = [];
      for (const snapshot of snapshots)
        if (!present.has(snapshot.id)) wanted.push({ ...snapshot, ...(await this.#source.snapshot(snapshot.id)) });
      const copied = await this.#copyTrees(wanted, signal, progress);
      if (!this.#dryRun && wanted.length > 0) {
        await this.#settle(signal);
        await this.#writeSnapshots(snapshots, wanted, lock, signal);
      }
      for (const { id } of wanted) present.add(id);
      return { snapshots: wanted.length, ...copied };
    } catch (error) {
      // What was looked at was perhaps not copied.
      this.#seen = createBlobTable();
      if (!this.#dryRun) await this.#clear();
      throw error;
    }
  };

  readonly close = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.captures.end();
    this.#held.release();
  };

  async #ids(): Promise<Set<string>> {
    return (this.#present ??= new Set((await this.#snapshots.list()).readable.map(({ id }) => id as string)));
  }

  /** Unfinished packs are dropped and their blobs are free again. */
  async #clear(): Promise<void> {
    const { captures } = this.#context;
    captures.taint();
    captures.end();
    try {
      await clearFailure(this.#context);
    } finally {
      captures.begin();
    }
  }

  async #copyTrees(
    wanted: readonly WantedSnapshot[],
    signal: AbortSignal,
    progress: VaultProgress | undefined,
  ): Promise<Omit<CopyReceipt, "snapshots">> {
    let blobs = 0;
    let newBytes = 0;
    let unsettledBytes = 0;
    const tell = (bytes: number): void => {
      blobs += 1;
      newBytes += bytes;
      unsettledBytes += bytes;
      progress?.({ bytes, items: 1 });
    };
    let batch: string[] = [];
    const copyBatch = async (): Promise<void> => {
      const ids = batch;
      batch = [];
      if (this.#dryRun) for (const id of ids) tell(this.#source.storedBytes(id, "data"));
      else {
        const copy = async (id: string, bytes: Uint8Array | undefined): Promise<void> =>
          // The bytes are the source's; what goes to a thread moves there.
          tell(await this.#store(id, "data", new Uint8Array(this.#required(id, bytes))));
        await this.#source.readMany(ids, "data", copy, signal);
      }
      if (unsettledBytes < settledAfterBytes || this.#dryRun) return;
      await this.#settle(signal);
      unsettledBytes = 0;
    };
    const waiting = wanted.map(({ tree }) => tree).filter((tree) => this.#seen.claim(tree, "tree"));
    const copyTree = async (id: string, found: Uint8Array | undefined): Promise<void> => {
      const bytes = this.#required(id, found);
      for (const node of decodeTree(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), id)) {
        for (const data of node.content ?? [])
          if (this.#seen.claim(data, "data") && !this.#context.table.has(data, "data")) batch.push(data);
        if (node.subtree !== undefined && this.#seen.claim(node.subtree, "tree")) waiting.push(node.subtree);
      }
      if (!this.#context.table.has(id, "tree")) tell(await this.#store(id, "tree", new Uint8Array(bytes)));
    };
    while (waiting.length > 0) {
      await this.#source.readMany(waiting.splice(-treesPerBatch), "tree", copyTree, signal);
      if (batch.length >= blobsPerBatch) await copyBatch();
    }
    await copyBatch();
    return { blobs, newBytes };
  }

  #required(id: string, bytes: Uint8Array | undefined): Uint8Array {
    if (bytes === undefined) throw damagedBlob(id, null, `is lost or damaged in the ${this.#source.name}`);
    return bytes;
  }

  async #store(id: string, type: BlobType, bytes: Uint8Array): Promise<number> {
    if (this.#dryRun) return this.#source.storedBytes(id, type);
    const { buffer } = bytes;
    const owned = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength ? [buffer] : [];
    const saved = await this.#context.pool.leastLoaded().call("save-blob", { type, bytes }, owned);
    // The thread has hashed what came to it.
    if (saved.id !== id) throw damagedBlob(id, null, "was changed on its way");
    return saved.newBytes;
  }

  /** Everything that was stored becomes durable, is read back from the store, and only then named by an index. */
  async #settle(signal: AbortSignal): Promise<void> {
    const { pool, index } = this.#context;
    await Promise.all(pool.started.map(async (thread) => thread.call("flush", null)));
    const packs = [...index.unwritten];
    const limit = pLimit(2);
    const bad = new Map<string, string>();
    await eachOf(packs, limit, signal, async (pack) => {
      const problem = await this.#problemOf(pack);
      if (problem !== null) bad.set(pack.id, problem);
    });
    const [first] = bad;
    if (first !== undefined) {
      index.forget(new Set(bad.keys()));
      const [id, problem] = first;
      throw new RefloatError(
        "vault.store-failed",
        `what was written to the vault at ${this.#context.store.location} is not what it gives back: pack ${id.slice(0, 8)}: ${problem}`,
        { context: { packs: [...bad.keys()] }, hint: "its disk or its server loses bytes: look at that first" },
      );
    }
    await index.flush();
  }

  async #problemOf({ id, blobs }: IndexedPack): Promise<string | null> {
    const { pool } = this.#context;
    const { job, end } = pool.beginJob(() => undefined);
    try {
      const sizeBytes = blobs.reduce((sum, { length }) => sum + length, 0) + packHeaderBytes(blobs);
      const { problems } = await pool.leastLoaded().call("verify-pack", { job, packId: id, sizeBytes, blobs });
      return problems[0]?.message ?? null;
    } finally {
      end();
    }
  }

  async #writeSnapshots(
    all: readonly { readonly id: SnapshotId }[],
    wanted: readonly WantedSnapshot[],
    lock: Parameters<SnapshotCopying["add"]>[1]["lock"],
    signal: AbortSignal,
  ): Promise<void> {
    const { documents, sealer, config } = this.#context;
    await this.#held.requireFresh();
    const files: string[] = [];
    for (const snapshot of wanted.slice(0, -1))
      files.push(await writeSnapshotCopy(documents, sealer, config.version, snapshot));
    const last = wanted.at(-1);
    if (last === undefined) return;
    const target = lock === null ? documents : await this.#locked(all, files, last, lock, signal);
    await this.#held.requireFresh();
    await writeSnapshotCopy(target, sealer, config.version, last);
  }

  /** @returns where the last file is written to, with the lock from the beginning */
  async #locked(
    all: readonly { readonly id: SnapshotId }[],
    written: readonly string[],
    last: WantedSnapshot,
    lock: NonNullable<Parameters<SnapshotCopying["add"]>[1]["lock"]>,
    signal: AbortSignal,
  ) {
    const files = new Set(written);
    const trees = new Set([last.tree]);
    for (const { id } of all) {
      if (id === last.id) continue;
      const { file, tree } = await this.#snapshots.read(id);
      files.add(file);
      trees.add(tree);
    }
    const options = { lock, trees: [...trees], snapshots: [...files] };
    return (await lockedTarget(this.#context, options, signal)) ?? this.#context.documents;
  }
}

export const beginSnapshotCopying = (
  context: RepositoryContext,
  snapshots: SnapshotFiles,
  parts: CopyingParts,
): SnapshotCopying => new RepositoryCopying(context, snapshots, parts);
