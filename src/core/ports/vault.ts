/**
 * What the rest of Refloat sees of a vault. Implemented by vault/repository (snapshots) and vault/points (recovery points);
 * neither a driver nor a step handler knows the format.
 */
import type { LockMode } from "../../model/declaration.ts";
import type { PointManifest, RecoveryPoint } from "../../model/manifest.ts";
import type { GonePoint, RootedPoint } from "../points/root-chain.ts";
import type { PointId, SnapshotId } from "../../model/identifiers.ts";
import type { PackReads } from "./vault-memory.ts";
import type { ByteStream, SealedStream } from "./bytes.ts";

export type VaultProgress = (delta: { readonly bytes: number; readonly items: number }) => void;

/** Rules for walking a local tree into the vault. */
export type TreeRules = {
  /** Patterns as in a .gitignore file, relative to the root of the tree. */
  readonly exclude: readonly string[];
  /** Do not cross into other file systems; the mount point itself is kept as an empty directory. */
  readonly oneFileSystem: boolean;
  /** Absolute path under which the tree stands in the snapshot; the real local path when left out. */
  readonly as?: string;
};

export type StreamReceipt = {
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes added to the vault for this stream, after deduplication and compression. */
  readonly newBytes: number;
  /** SHA-256 of the whole content, hex, computed as it passed. */
  readonly sha256: string;
  readonly rows?: number;
};

export type TreeReceipt = {
  readonly path: string;
  readonly files: number;
  /** Below the root, which is not counted itself. */
  readonly directories: number;
  /** Symlinks, devices, sockets and fifos. */
  readonly others: number;
  readonly sizeBytes: number;
  readonly newBytes: number;
  /** Files whose size, times and inode equal those in the parent snapshot and that were not read again. */
  readonly unchangedFiles: number;
  /** Newest modification time among the files, ISO; null for an empty tree. */
  readonly newestAt: string | null;
  /** Entries that were there when the folder was listed and gone when they were opened, or that changed while being read. */
  readonly unsteady: readonly { readonly path: string; readonly reason: "vanished" | "changed" }[];
};

/**
 * Where a driver puts what it captures. Calls may run concurrently. Nothing is visible to any reader before `commit` of the
 * snapshot; a sink that is never committed leaves at most unreferenced packs, which prune removes.
 */
export type CaptureSink = {
  /**
   * Stores one stream as the regular file `path` (absolute within the snapshot, e.g. `/db/3012.dat`), mode 0600.
   * @throws whatever `source.seal` throws; then the file is not in the snapshot and the snapshot must not be committed.
   * @throws RefloatError vault.no-space, vault.store-failed
   */
  readonly stream: (
    path: string,
    source: SealedStream,
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<StreamReceipt>;
  /** Stores small content that is already in memory. */
  readonly bytes: (path: string, content: Uint8Array) => Promise<StreamReceipt>;
  /**
   * Walks `localPath` (a directory, or a single file) and stores it with modes, owners, times, symlinks, hard links, sparse
   * files, devices and names that are not UTF-8. Unchanged files are taken over from the parent snapshot.
   * @throws RefloatError source.failed if the root is missing or an entry cannot be read (with its path)
   */
  readonly tree: (
    localPath: string,
    rules: TreeRules,
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<TreeReceipt>;
};

export type SnapshotWriter = CaptureSink & {
  /** Flushes packs, writes the index, then the snapshot; durable when it resolves. At most once. */
  readonly commit: () => Promise<SnapshotInfo>;
  /** Drops what was not committed. Safe after `commit` (no effect) and more than once. */
  readonly abort: () => Promise<void>;
};

export type SnapshotInfo = {
  readonly id: SnapshotId;
  readonly time: string;
  readonly hostname: string;
  readonly paths: readonly string[];
  readonly tags: readonly string[];
  /** Bytes this snapshot added to the vault; 0 when another program wrote it and did not say. */
  readonly newBytes: number;
  /** Id of its root tree: where it is equal, all that is in it is. */
  readonly tree: string;
  /** What a record says; only records have it. */
  readonly record?: string;
  /** The name under which stock restic lists it; of one that was copied from another vault not its id. */
  readonly file?: string;
};

export type TreeEntry = {
  /** Absolute within the snapshot. Bytes that are not UTF-8 appear as U+FFFD; `rawPath` has them as they are. */
  readonly path: string;
  readonly rawPath: Uint8Array;
  readonly type: "file" | "dir" | "symlink" | "dev" | "chardev" | "fifo" | "socket" | "irregular";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly modifiedAt: string;
  readonly linkTarget?: string;
};

export type ExtractReport = {
  readonly files: number;
  readonly directories: number;
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
};

/** Reads one snapshot. Every byte handed out was verified against its SHA-256 first. */
export type SnapshotReader = {
  readonly info: SnapshotInfo;
  /** @returns undefined if there is no such path */
  readonly stat: (path: string) => Promise<TreeEntry | undefined>;
  /** Entries below `path` (itself not included), depth first, in byte order of names. */
  readonly list: (path: string, options: { readonly recursive: boolean }) => AsyncIterable<TreeEntry>;
  /**
   * The content of a regular file. Reads ahead within bounded memory. With `transient` a chunk may be empty as soon as the next one is
   * asked for: for whoever is done with it by then, so that its memory serves the next one at once.
   * @throws RefloatError vault.damaged naming pack, blob and path; point.unknown if there is no such file
   */
  readonly stream: (
    path: string,
    range?: { readonly offset: number; readonly length: number },
    options?: { readonly transient: boolean },
  ) => ByteStream;
  /** Small files only (at most 64 MiB). */
  readonly read: (path: string) => Promise<Uint8Array>;
  /**
   * Restores the tree (or file) at `path` to `target`, which must not exist and whose parent must. Several workers, bounded
   * memory. Nothing is ever written outside `target`, whatever the names and symlinks in the snapshot say. Owners are set when
   * the process may; otherwise the report says that they were not.
   * @throws RefloatError path.hostile, vault.damaged, target.failed; what was written so far stays for the caller to drop
   */
  readonly extract: (
    path: string,
    target: string,
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<ExtractReport>;
};

/** A place within a snapshot: text, or the bytes of it where a name is not UTF-8. Absolute, without `.` and `..`. */
export type SnapshotPath = string | Uint8Array;

/** One entry of a folder with all that the vault knows of it, apart from the path that leads there. */
export type FolderEntry = {
  /** As it stands in the folder: any bytes but `/` and NUL. Empty for the root of a snapshot. */
  readonly name: Uint8Array;
  readonly type: TreeEntry["type"];
  /** Permission bits, set-uid, set-gid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly sizeBytes: number;
  /** Nanoseconds since 1970. */
  readonly modifiedNs: bigint;
  readonly linkTarget: Uint8Array | null;
  /** Of a folder: equal ids mean that everything below is equal, names, contents and metadata. */
  readonly treeId: string | null;
  /**
   * Of a file: equal ids mean equal content. The SHA-256 of the content where the vault holds it in one piece, else `list-` and the
   * SHA-256 over the ids of its pieces: within one vault equal content is always cut alike.
   */
  readonly contentId: string | null;
  /** SHA-256 of each piece of a file, hex, in order. */
  readonly pieces: readonly string[];
  /** Equal for the names of one file within a snapshot; null for a file of one name. */
  readonly linkId: string | null;
  readonly device: { readonly major: number; readonly minor: number } | null;
};

/** Walks one snapshot folder by folder, by id, so that what is equal in two snapshots need not be read twice. */
export type TreeReader = {
  readonly info: SnapshotInfo;
  /** @returns undefined if there is no such path */
  readonly entry: (path: SnapshotPath) => Promise<FolderEntry | undefined>;
  /** The entries of a folder in byte order of names, decoded as they are asked for. @throws RefloatError vault.damaged, path.hostile */
  readonly folder: (treeId: string) => Promise<Iterable<FolderEntry>>;
  /** The verified content of a file that this reader gave. @throws RefloatError vault.damaged */
  readonly content: (entry: FolderEntry, range?: { readonly offset: number; readonly length: number }) => ByteStream;
  /** As `SnapshotReader.extract`, of an entry that this reader gave. */
  readonly extract: (
    entry: FolderEntry,
    target: string,
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<ExtractReport>;
};

/**
 * A folder or file of this machine as a capture of now would read it: what is excluded is not in it, nor what another file system holds where
 * the rules say so. Reads no content unless asked to, and changes nothing.
 */
export type LiveTree = {
  /** Undefined if nothing is there. */
  readonly root: FolderEntry | undefined;
  /**
   * As `TreeReader.folder`. `contentId` is null: nobody knows it. The ids of folders are good for this tree alone.
   * @throws RefloatError source.failed for what cannot be read; what vanished meanwhile is left out
   */
  readonly folder: (treeId: string) => Promise<Iterable<FolderEntry>>;
  /**
   * Has the file at `path` below the root the content of a file of this vault? Reads no further than the first piece that differs.
   * @throws RefloatError source.failed, vault.damaged when the vault does not know how long a piece is
   */
  readonly holds: (path: Uint8Array, captured: FolderEntry, signal: AbortSignal) => Promise<boolean>;
};

/** `sample`: the structure, and the data of some packs. */
export type VerifyDepth = "structure" | "sample" | "read-data";

/** How much of the data a `sample` reads; what is reached first ends it. At least one pack is read, so that all come in turn. */
export type VerifyLimit = {
  /** 0 to 1, of all bytes. */
  readonly share?: number;
  readonly bytes?: number;
  /** From the beginning of the verification, the structure included: no pack is begun later. */
  readonly durationMs?: number;
};

/** How much of the vault's data was read in the last 30 days, by what the caller remembers and this verification added. */
export type VerifyCoverage = {
  readonly days: number;
  readonly packs: number;
  readonly packsRead: number;
  readonly bytes: number;
  readonly bytesRead: number;
  /** Each pack was read at this instant or later; null while one never was, or was found damaged. */
  readonly provenSince: string | null;
};

/** How much of the data one verification read, and what that says of the rest. */
export type VerifyReading = {
  readonly packs: number;
  readonly packsRead: number;
  readonly bytes: number;
  readonly bytesRead: number;
  /** Of the reading alone. */
  readonly durationMs: number;
  /** Reading everything at this rate; null when nothing can be said. */
  readonly fullPassMs: number | null;
};

export type VerifyFinding = {
  readonly severity: "error" | "warning";
  readonly message: string;
  /** What is hurt: `pack`, `index`, `snapshot`, `blob`, with the id. */
  readonly object: { readonly kind: string; readonly id: string };
  /** Paths and snapshots that need it, as far as known. */
  readonly affects: readonly { readonly snapshot: SnapshotId; readonly path: string }[];
};

export type VerifyReport = {
  readonly depth: VerifyDepth;
  readonly snapshots: number;
  readonly packs: number;
  readonly blobs: number;
  readonly bytesRead: number;
  /** Null for `structure`, which reads no data. */
  readonly reading: VerifyReading | null;
  readonly coverage: VerifyCoverage;
  readonly findings: readonly VerifyFinding[];
};

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

export type RepairOptions = {
  /** False: only finds out what could be repaired; writes nothing. */
  readonly apply: boolean;
  /** Asked in this order for what no pack of the vault holds sound. */
  readonly sources: readonly BlobCopies[];
  /** Keeps what is about to be removed, durably. @returns where */
  readonly keepEvidence: (name: string, content: Uint8Array) => Promise<string>;
};

export type RepairReport = {
  readonly applied: boolean;
  /** Indexes that are damaged, or name a damaged pack, and are written anew. */
  readonly indexesRebuilt: number;
  /** Packs in no readable index, taken in by their own headers. */
  readonly packsIndexed: number;
  readonly packsReplaced: number;
  readonly blobs: {
    /** Another pack has them. */
    readonly copied: number;
    /** Sound in the damaged pack itself. */
    readonly salvaged: number;
    /** By the name of the source. */
    readonly fetched: Readonly<Record<string, number>>;
    /** Nobody has them: what needs them stays hurt. */
    readonly lost: number;
  };
  /** Where what was removed is kept. */
  readonly evidence: readonly string[];
  /** Damaged files that the store does not let go of, such as locked ones. They stay beside the sound copies. */
  readonly refused: readonly { readonly kind: string; readonly name: string; readonly reason: string }[];
};

export type PruneForecast = {
  readonly usedBytes: number;
  /** In packs of which nothing is used. */
  readonly unusedBytes: number;
  /** What is used of packs that are little used is copied out of them, so that they can go. */
  readonly repackBytes: number;
  readonly repackFreesBytes: number;
  /** Unused, and left lying among what is used: too little to be worth a copy. */
  readonly toleratedBytes: number;
};

export type PruneReport = {
  readonly foundPacks: number;
  readonly copiedBytes: number;
  readonly removedPacks: number;
  readonly freedBytes: number;
  /** Removed, and kept by the store as versions that only its own rules take away. */
  readonly hiddenBytes: number;
  /** Found unused earlier, and used by what was committed since: they stay. */
  readonly recoveredPacks: number;
  /** Found unused, and not removed yet. */
  readonly waitingBytes: number;
  /** Who may still count on it, or reads the vault. */
  readonly waitsFor: readonly string[];
  /** Until when it waits for time alone; null if it does not. */
  readonly waitsUntil: string | null;
  /** What the store does not let go of: a lock, with its end, or a right that is lacking. */
  readonly refused: readonly {
    readonly kind: string;
    readonly name: string;
    readonly reason: string;
    readonly until: string | null;
  }[];
  /** Half-written files of killed processes. */
  readonly sweptTemporaries: number;
};

/** A prune that has counted and has removed nothing yet. Must be closed. */
export type Pruning = {
  readonly forecast: PruneForecast;
  readonly run: (signal: AbortSignal, progress?: VaultProgress) => Promise<PruneReport>;
  readonly close: () => Promise<void>;
};

/** Until when nothing may be deleted or replaced; `governance`: except by those with a special right. */
export type VaultLock = { readonly until: Date; readonly mode: LockMode };

export type LockSupport = {
  /** Can this process lock what it writes? */
  readonly locks: boolean;
  /** Why it cannot. */
  readonly reason: string | null;
  /** `server`: against everyone, as the mode says. `file-system`: against all but root. `nobody`: there are no locks. */
  readonly keptBy: "server" | "file-system" | "nobody";
};

/** What the store said of the files that one thing rests on: it is as safe as the least safe of them. */
export type LockReport = {
  readonly id: string;
  readonly files: number;
  readonly unlocked: number;
  /** Files that are not there, or hidden by a deletion. */
  readonly missing: number;
  /** ISO; null if any file has no lock or is missing. */
  readonly until: string | null;
  readonly mode: LockMode | null;
  /** The least safe file, such as `data/3f...`. */
  readonly weakest: string | null;
};

export type Unreadable = { readonly id: string; readonly reason: string };

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

export type PointChain = {
  readonly points: readonly RootedPoint[];
  readonly gone: readonly GonePoint[];
};

export type PointHold = {
  readonly point: PointId;
  readonly service: string;
  readonly reason: string;
  /** Who said so. */
  readonly by: string;
  readonly at: string;
};

/** A person's word that a point must not expire. Kept in the vault. */
export type PointHolds = {
  /** Oldest first; one whose reason is damaged is listed all the same. */
  readonly list: () => Promise<readonly PointHold[]>;
  readonly hold: (point: RecoveryPoint, reason: string, by: string) => Promise<void>;
  /** @returns how many holds were released @throws RefloatError vault.store-failed without the right to delete */
  readonly release: (point: PointId) => Promise<number>;
};

export type Departure = {
  readonly point: PointId;
  readonly service: string;
  /** `expired by keep: daily 7`, in a person's words. */
  readonly reason: string;
  readonly recordedAt: string;
};

/** Points that left the vault on purpose. */
export type PointDepartures = {
  /** Durable when it resolves: to be called before a point is removed. */
  readonly record: (points: readonly Omit<Departure, "recordedAt">[]) => Promise<void>;
  readonly list: () => Promise<ReadonlyMap<PointId, Departure>>;
};

/** A point as the vault that it is copied from has it. */
export type ForeignPoint = {
  readonly point: RecoveryPoint;
  readonly root: RootedPoint;
  /** Id of that vault. */
  readonly vault: string;
  /** By id, all that it has. */
  readonly snapshots: ReadonlyMap<string, SnapshotInfo>;
  /** Points that the receiving vault has: what the root names beyond them is not missed there. */
  readonly present: ReadonlySet<string>;
  /** A lock that has run out is none. */
  readonly now: Date;
};

/** Recovery points over a repository. A point exists when, and only when, its manifest's snapshot exists. */
export type PointStore = {
  /** Newest first. Points that lost a component's snapshot are listed with `missing`; those that cannot be read are left out. */
  readonly list: (service?: string) => Promise<readonly RecoveryPoint[]>;
  /** What `list` leaves out: points whose manifest is damaged or of a newer form, and snapshots that may be points. */
  readonly unreadable: () => Promise<readonly Unreadable[]>;
  /** @param id full or unique prefix @throws RefloatError point.unknown, point.ambiguous */
  readonly read: (id: string) => Promise<RecoveryPoint>;
  /** The roots of all points, proven or not, and the points that they name and that are gone without a recorded departure. Reads each point's small files. */
  readonly chain: () => Promise<PointChain>;
  /** The last act of a capture. */
  readonly commit: (manifest: PointManifest) => Promise<PointId>;
  /** Takes in a point of another vault, under the id that it has there, locked as long as was declared for it. @throws as `SnapshotCopying.add` */
  readonly receive: (
    point: ForeignPoint,
    copying: SnapshotCopying,
    signal: AbortSignal,
    progress?: VaultProgress,
  ) => Promise<CopyReceipt>;
};

/** Copies of the journal's runs, so that a run can be resumed on another machine and its evidence outlives this one. */
export type RunCopy = {
  readonly id: SnapshotId;
  readonly uid: string;
  readonly service: string;
  readonly savedAt: string;
  readonly hostname: string;
  /** How often the run had been taken up; a copy of a higher epoch is of a later process, whatever the machines' clocks say. */
  readonly epoch: number;
  /** Of the run, when the copy was made: `running`, `succeeded`, ... */
  readonly state: string;
};

export type RunCopies = {
  /**
   * Stores a copy of the run as it is now, as `/refloat/run.jsonl` in a snapshot tagged `refloat-run`, `service=NAME`, `run=UID`,
   * `epoch=N`, `state=WORD`.
   */
  readonly save: (
    run: Pick<RunCopy, "service" | "uid" | "epoch" | "state">,
    content: Uint8Array,
  ) => Promise<RunCopy["id"]>;
  /** The newest copy of each run, newest first. */
  readonly list: (service?: string) => Promise<readonly RunCopy[]>;
  /** All copies of one run, the newest first. Asked again it reads only what has come since. */
  readonly of: (uid: string) => Promise<readonly RunCopy[]>;
  /** @throws RefloatError run.unknown */
  readonly read: (uid: string) => Promise<Uint8Array>;
};
