/** A vault as the rest of Refloat sees it; implemented by vault/repository. Neither a driver nor a step handler knows the format. */
import type { SnapshotId } from "../../model/identifiers.ts";
import type { BlobCopies, CopySource, SnapshotCopying } from "./vault-copying.ts";
import type { LockReport, LockSupport, VaultLock } from "./vault-locks.ts";
import type { PackReads } from "./vault-memory.ts";
import type { Pruning } from "./vault-pruning.ts";
import type {
  LiveTree,
  SnapshotInfo,
  SnapshotReader,
  SnapshotWriter,
  TreeReader,
  TreeRules,
  Unreadable,
  VaultProgress,
} from "./vault-snapshots.ts";
import type { RepairOptions, RepairReport, VerifyDepth, VerifyLimit, VerifyReport } from "./vault-verification.ts";

export type Repository = {
  /** The repository's own id from its config. */
  readonly id: string;
  readonly location: string;
  /** How files are cut into chunks, as the config has it: where it is equal, equal files become equal blobs. */
  readonly polynomial: string;
  /** A point in the past to take unchanged files from is found by equal hostname and paths, unless `parent` names one. */
  readonly beginSnapshot: (options: {
    readonly hostname: string;
    readonly time: Date;
    readonly tags: readonly string[];
    readonly paths: readonly string[];
    readonly parent?: SnapshotId;
    /**
     * Before the snapshot is written, everything that it and the `members` rest on is locked at least so; it is itself at no time without
     * the lock. Where the store cannot lock (`lockSupport`), nothing is, and the snapshot is written all the same.
     */
    readonly lock?: VaultLock & { readonly members: readonly SnapshotId[] };
  }) => Promise<SnapshotWriter>;
  /** Can the store lock files against everyone? @throws RefloatError vault.denied if it may not be asked */
  readonly lockSupport: () => Promise<LockSupport>;
  /**
   * Asks the store until when it lets go of no file of these snapshots themselves; those without a lock are left out.
   * @throws RefloatError vault.*
   */
  readonly lockEnds: (ids: readonly SnapshotId[]) => Promise<ReadonlyMap<SnapshotId, Date>>;
  /** Asks the store for the lock of every file that the snapshots rest on. @throws RefloatError vault.* */
  readonly locksOf: (
    questions: readonly { readonly id: string; readonly snapshots: readonly SnapshotId[] }[],
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<readonly LockReport[]>;
  /**
   * Writes a text as a snapshot of nothing: one small file, for what must be cheap to append. Durable when it resolves.
   * @throws RefloatError vault.*
   */
  readonly writeRecord: (options: {
    readonly hostname: string;
    readonly time: Date;
    readonly tags: readonly string[];
    readonly path: string;
    readonly text: string;
    /** As for a snapshot: it and what it rests on are locked at least so, where the store can. */
    readonly lock?: VaultLock;
  }) => Promise<SnapshotInfo>;
  /**
   * Those that can be read: one rotten file must not keep the others from being recovered.
   * @param options ids that are known already and need not be read again
   */
  readonly snapshots: (options?: { readonly except: ReadonlySet<string> }) => Promise<readonly SnapshotInfo[]>;
  /** Those that cannot, with the reason; `verify` finds more. */
  readonly damagedSnapshots: () => Promise<readonly Unreadable[]>;
  /** @param id full or a unique prefix @throws RefloatError point.unknown, point.ambiguous, vault.damaged */
  readonly openSnapshot: (id: string) => Promise<SnapshotReader>;
  /** The same snapshot, to be walked. @throws as `openSnapshot` */
  readonly openTree: (id: string) => Promise<TreeReader>;
  readonly verify: (
    options: {
      readonly depth: VerifyDepth;
      /** For `sample`. */
      readonly limit?: VerifyLimit;
      /** When each pack was last read. A sample begins with the oldest; packs that are read and sound are entered, those that are gone removed. */
      readonly reads?: PackReads;
    },
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<VerifyReport>;
  /**
   * Repairs what a verification just now has found, as far as a sound copy is anywhere; safe to be killed at any moment and begun again.
   * @throws RefloatError vault.locked when another program changed the vault meanwhile, vault.store-failed, vault.no-space
   */
  readonly repair: (report: VerifyReport, options: RepairOptions, signal: AbortSignal) => Promise<RepairReport>;
  /** This vault as a source for the repair of another one, or for a copy. To be released. */
  readonly copies: () => Promise<CopySource>;
  /** Begins to take in snapshots of another vault. They keep their ids. @param options.dryRun counts, and writes nothing */
  readonly beginCopy: (source: CopySource, options: { readonly dryRun: boolean }) => Promise<SnapshotCopying>;
  /** Unchanged files on this machine as a source. @param files absolute paths */
  readonly liveFiles: (files: readonly string[], signal: AbortSignal) => Promise<BlobCopies>;
  /** What lies at an absolute path of this machine, to be held against a snapshot. */
  readonly liveTree: (localPath: string, rules: TreeRules) => Promise<LiveTree>;
  /**
   * HMAC-SHA-256 under a key that is derived from the vault's master key for this purpose alone: proves that whoever made it could open
   * the vault, so that the storage side could not.
   */
  readonly authenticate: (purpose: string, message: Uint8Array) => Uint8Array;
  /**
   * Removes snapshots, one after the other; the data they used stays until a prune.
   * @returns those that the store does not let go of
   */
  readonly removeSnapshots: (
    ids: readonly SnapshotId[],
  ) => Promise<readonly { readonly id: SnapshotId; readonly reason: string }[]>;
  /** Whether anybody else may be about to commit snapshots: what is listed beforehand may then be part of what is not there yet. */
  readonly isCapturedInto: () => Promise<boolean>;
  /**
   * Counts what a prune would give back once the snapshots `without` are gone; its `run` does it. Never in the way of a capture. At
   * most one at a time.
   * @param options.graceMs how long what was found unused stays, beyond the end of all who were at work then
   * @throws RefloatError vault.locked, vault.damaged if it cannot be told what is used
   */
  readonly beginPrune: (
    options: { readonly without: readonly SnapshotId[]; readonly graceMs: number },
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<Pruning>;
  /** Stops workers, removes the repository lock. */
  readonly close: () => Promise<void>;
};
