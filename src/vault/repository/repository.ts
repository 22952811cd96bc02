/** A repository in restic's format, open: snapshots are made, listed, read and verified through it. */
import { createHmac, hkdfSync } from "node:crypto";
import type { Repository } from "../../core/ports/vault.ts";
import type { BlobCopies, CopySource, SnapshotCopying } from "../../core/ports/vault-copying.ts";
import type {
  SnapshotInfo,
  SnapshotReader,
  SnapshotWriter,
  TreeReader,
  Unreadable,
} from "../../core/ports/vault-snapshots.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import { openCopySource } from "./copy/copy-source.ts";
import { beginSnapshotCopying } from "./copy/snapshot-copying.ts";
import { clearFailure } from "./capture/capture-state.ts";
import { type RecordRequest, writeRecord } from "./capture/record-writer.ts";
import { findParent } from "./capture/find-parent.ts";
import { beginSnapshotWriter } from "./capture/snapshot-writer.ts";
import { type StoredSnapshot, readSnapshot } from "./format/snapshot-file.ts";
import { holdLoneLock } from "./locks/lone-lock.ts";
import { readSessions } from "./locks/sessions.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { letGo } from "./prune/let-go.ts";
import { beginPrune } from "./prune/prune.ts";
import { type LockQuestion, lockEnds, lockSupport, lockedTarget, reportLocks } from "./retention/vault-locks.ts";
import { openSnapshotReader } from "./reading/snapshot-reader.ts";
import { openLiveTree } from "./reading/live-tree.ts";
import { openTreeReader } from "./reading/tree-reader.ts";
import { type RepositoryContext, requireWritable } from "./repository-context.ts";
import type { Store } from "./stores/store.ts";
import { openLiveFiles } from "./verify/live-chunks.ts";
import { repairRepository } from "./verify/repair.ts";
import { verifyRepository } from "./verify/verification.ts";

const never = new AbortController().signal;

type SnapshotOptions = Parameters<Repository["beginSnapshot"]>[0];

/** Shares one table of blobs, one pool of worker threads and one lock among its parts. */
export class OpenRepository implements Repository {
  readonly id: string;
  readonly location: string;
  readonly polynomial: string;
  readonly #context: RepositoryContext;
  readonly #masterKey: Buffer;
  readonly #snapshots: SnapshotFiles;
  #recordsLocked: { readonly key: string; readonly target: Pick<Store, "write"> | null } | undefined;
  #closed = false;

  constructor(context: RepositoryContext, masterKey: Buffer) {
    this.#context = context;
    this.#masterKey = masterKey;
    this.#snapshots = new SnapshotFiles(context);
    this.id = context.config.id;
    this.location = context.store.location;
    this.polynomial = context.config.polynomial.toString(16);
  }

  readonly beginSnapshot = async (options: SnapshotOptions): Promise<SnapshotWriter> => {
    const { store, lock } = this.#context;
    requireWritable(this.#context);
    const held = await lock.hold();
    try {
      await store.sweep();
      await clearFailure(this.#context);
      const { hostname, time, tags, paths, lock: wanted } = options;
      const parent = await findParent(this.#snapshots, options);
      await this.#loadIndex(held.session());
      const request = { hostname, time, tags, paths, parent, lock: wanted };
      return beginSnapshotWriter(this.#context, request, held);
    } catch (error) {
      held.release();
      throw error;
    }
  };

  readonly writeRecord = async (record: RecordRequest): Promise<SnapshotInfo> => {
    requireWritable(this.#context);
    const held = await this.#context.lock.hold();
    try {
      const isTreeKept = (await this.#snapshots.list()).readable.some((snapshot) => snapshot.record !== undefined);
      const loadIndex = () => this.#loadIndex(held.session());
      const target = (tree: string) => this.#recordTarget(record.lock, tree, loadIndex);
      return await writeRecord(this.#context, record, { isTreeKept, loadIndex, target });
    } finally {
      held.release();
    }
  };

  readonly snapshots: Repository["snapshots"] = async (options) =>
    (await this.#snapshots.list(options?.except)).readable;

  readonly damagedSnapshots = async (): Promise<readonly Unreadable[]> => (await this.#snapshots.list()).damaged;

  readonly openSnapshot = async (id: string): Promise<SnapshotReader> =>
    openSnapshotReader(this.#context, await this.#stored(id));

  readonly openTree = async (id: string): Promise<TreeReader> => openTreeReader(this.#context, await this.#stored(id));

  readonly verify: Repository["verify"] = async (options, signal, progress) => {
    const held = this.#context.lock.holdForReading();
    try {
      return await verifyRepository(this.#context, options, signal, progress);
    } finally {
      held.release();
    }
  };

  readonly repair: Repository["repair"] = async (report, options, signal) => {
    const { lock } = this.#context;
    const held = options.apply ? await holdLoneLock(lock) : lock.holdForReading();
    try {
      const repaired = await repairRepository(this.#context, report, options, signal);
      if (options.apply) await this.#loadIndex();
      return repaired;
    } finally {
      await held.release();
    }
  };

  readonly copies = async (): Promise<CopySource> => {
    const held = this.#context.lock.holdForReading();
    try {
      await this.#loadIndex();
    } catch (error) {
      held.release();
      throw error;
    }
    return openCopySource(this.#context, this.#snapshots, held.release);
  };

  readonly beginCopy = async (
    source: CopySource,
    { dryRun }: { readonly dryRun: boolean },
  ): Promise<SnapshotCopying> => {
    const { lock } = this.#context;
    if (!dryRun) requireWritable(this.#context);
    const held = dryRun ? lock.holdForReading() : await lock.hold();
    try {
      if (!dryRun) {
        await this.#context.store.sweep();
        await clearFailure(this.#context);
      }
      await this.#loadIndex(dryRun ? undefined : held.session());
      return beginSnapshotCopying(this.#context, this.#snapshots, { source, held, dryRun });
    } catch (error) {
      held.release();
      throw error;
    }
  };

  readonly liveFiles = async (files: readonly string[], signal: AbortSignal): Promise<BlobCopies> =>
    openLiveFiles(files, this.#context.config.polynomial, signal);

  readonly liveTree: Repository["liveTree"] = async (localPath, rules) => {
    await this.#loadIndex();
    return openLiveTree(this.#context.table, localPath, rules);
  };

  readonly lockSupport: Repository["lockSupport"] = async () => lockSupport(this.#context);

  readonly locksOf: Repository["locksOf"] = async (questions, signal, progress) => {
    await this.#loadIndex();
    const { store, sealer } = this.#context;
    const listed = new Map<string, StoredSnapshot>(
      (await this.#snapshots.list()).readable.map((snapshot) => [snapshot.id, snapshot]),
    );
    const asked: LockQuestion[] = [];
    for (const { id, snapshots } of questions) {
      const found = snapshots.map(async (name) => listed.get(name) ?? readSnapshot(store, sealer, name));
      asked.push({ id, snapshots: await Promise.all(found) });
    }
    return reportLocks(this.#context, asked, signal, progress);
  };

  readonly lockEnds: Repository["lockEnds"] = async (ids) =>
    lockEnds(this.#context, await this.#snapshots.filesOf(ids));

  readonly authenticate = (purpose: string, message: Uint8Array): Uint8Array =>
    createHmac("sha256", Buffer.from(hkdfSync("sha256", this.#masterKey, "", purpose, 32)))
      .update(message)
      .digest();

  readonly removeSnapshots: Repository["removeSnapshots"] = async (ids) => {
    const { store, lock, clock } = this.#context;
    const held = await lock.hold();
    const refused: { id: SnapshotId; reason: string }[] = [];
    try {
      for (const [id, files] of await this.#snapshots.filesOf(ids)) {
        for (const file of files) {
          const kept = await letGo(store, "snapshots", file, clock);
          if (kept !== null) refused.push({ id, reason: kept.reason });
        }
      }
      return refused;
    } finally {
      held.release();
    }
  };

  readonly isCapturedInto = async (): Promise<boolean> => {
    const { captures, lock } = this.#context;
    if (captures.isActive) return true;
    // What is no lock of Refloat may be anything.
    return (await readSessions(lock.options)).some(
      ({ key, role }) => (role === "capture" || role === null) && !lock.isOwn(key),
    );
  };

  readonly beginPrune: Repository["beginPrune"] = async ({ without, graceMs }, signal, progress) => {
    const files = [...(await this.#snapshots.filesOf(without)).values()].flat();
    return beginPrune(this.#context, { without: files, graceMs }, signal, progress);
  };

  readonly close = async (): Promise<void> => {
    if (this.#closed) return;
    this.#closed = true;
    await this.#context.pool.close();
    await this.#context.lock.close();
    await this.#context.trees.close();
    await this.#context.store.close();
  };

  /** What all records rest on is the same, and is locked once for all with one lock. */
  async #recordTarget(
    lock: RecordRequest["lock"],
    tree: string,
    loadIndex: () => Promise<void>,
  ): Promise<Pick<Store, "write">> {
    const { store } = this.#context;
    if (lock === undefined) return store;
    const key = `${lock.mode} ${lock.until.toISOString()}`;
    if (this.#recordsLocked?.key !== key) {
      await loadIndex();
      const target = await lockedTarget(this.#context, { lock, trees: [tree], snapshots: [] }, never);
      this.#recordsLocked = { key, target };
    }
    return this.#recordsLocked.target ?? store;
  }

  async #stored(id: string): Promise<StoredSnapshot> {
    const snapshot = await this.#snapshots.read(id);
    // After the snapshot: what it needs was indexed before it was written.
    await this.#loadIndex();
    return snapshot;
  }

  async #loadIndex(session?: string): Promise<void> {
    const { index, log } = this.#context;
    await index.loadReadable((name, error) => {
      log.warn("an index of the vault cannot be read", { index: name, reason: error.message });
    }, session);
  }
}
