/** What goes into a snapshot of the vault and what comes out of one: trees, streams, entries. Whether a point needs it is not known here. */
import type { SnapshotId } from "../../model/identifiers.ts";
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
  /**
   * A program writes into these files in place while they are read, and has done so since then, without a break. What is taken over from the parent
   * snapshot has to be beyond doubt: only from one that was begun under the same program, and only files at rest for a while before that. Else a write
   * within one tick of the file system's clock, or one whose time a crash has taken away, would be missed.
   */
  readonly writtenSince?: Date;
  /** Files of relations of PostgreSQL are held against the checksums in their pages; what is taken over was held before. */
  readonly pages?: PageRules;
};

/** What is known of a data folder and of a backup of it that is under way. */
export type PageRules = {
  /** Position in the log, in bytes, where the backup began: pages that were written since may be torn, and the log has them whole. */
  readonly startLsn: bigint;
  readonly pageBytes: number;
  /** Pages in each file of a relation but the last. */
  readonly segmentPages: number;
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
  /**
   * Entries that were there when the folder was listed and gone when they were opened, or that changed while being read; and folders that were
   * read anew with all below, since what the parent snapshot holds of them cannot be read.
   */
  readonly unsteady: readonly { readonly path: string; readonly reason: "vanished" | "changed" | "read-anew" }[];
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

export type Unreadable = { readonly id: string; readonly reason: string };
