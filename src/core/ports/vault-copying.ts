/** Blobs and snapshots that come from elsewhere: for a repair, or for a second vault. */
import type { SnapshotId } from "../../model/identifiers.ts";
import type { VaultLock } from "./vault-locks.ts";
import type { VaultProgress } from "./vault-snapshots.ts";

/** Somewhere else that blobs can be had from. What it gives is held against the id by whoever asks. */
export type BlobCopies = {
  /** For people: `vault at /mnt/copy`, `live files`. */
  readonly name: string;
  readonly read: (id: string, type: "data" | "tree") => Promise<Uint8Array | undefined>;
};

/** A vault that blobs and snapshots are copied from. While it is held, no prune takes what is being copied. */
export type CopySource = BlobCopies & {
  /** Id of the repository. */
  readonly vault: string;
  /**
   * Many blobs of a type, in whatever order is the cheapest: what lies close together is fetched by one request, some megabytes at a time, a few
   * requests at once.
   * @param take told of each once, of up to some at the same time: the bytes, valid until it resolves; undefined for what is lost or damaged
   * @throws what `take` throws
   */
  readonly readMany: (
    ids: readonly string[],
    type: "data" | "tree",
    take: (id: string, bytes: Uint8Array | undefined) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>;
  /** What a blob takes in the source's packs; 0 if no index knows it. */
  readonly storedBytes: (id: string, type: "data" | "tree") => number;
  /** Root tree, and all that the snapshot's file says. @throws RefloatError point.unknown, vault.damaged */
  readonly snapshot: (
    id: SnapshotId,
  ) => Promise<{ readonly tree: string; readonly document: Readonly<Record<string, unknown>> }>;
  /** Idempotent. */
  readonly release: () => void;
};

export type CopyReceipt = {
  /** Snapshots that the target did not have. */
  readonly snapshots: number;
  /** Blobs that it did not have. */
  readonly blobs: number;
  /** What they add to it; of a dry run, what they take in the source. */
  readonly newBytes: number;
};

/** A copy that goes on: holds the target's lock. Must be closed. */
export type SnapshotCopying = {
  /**
   * Copies snapshots that belong together, in order: first every blob that the target lacks, each held against its id on the way and read
   * back once it is written, then the files of the snapshots, the last one last. A snapshot that is there by its id is left as it is.
   * After a failure nothing of them can be seen, and the next call may succeed.
   * @param snapshots each with the tags that its copy gets
   * @param lock everything that they rest on is locked at least so, where the store can, before the last one is written
   * @throws RefloatError vault.damaged if the source has lost something of it, vault.no-space, vault.store-failed, vault.locked
   */
  readonly add: (
    snapshots: readonly { readonly id: SnapshotId; readonly tags: readonly string[] }[],
    options: { readonly lock: VaultLock | null },
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<CopyReceipt>;
  readonly close: () => void;
};
