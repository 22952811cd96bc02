/** What passes between the main thread and the workers while a local tree is captured. Paths and names are raw bytes. */
import type { PageRules, TreeReceipt } from "../../../core/ports/vault-snapshots.ts";

export type WalkRules = {
  readonly exclude: readonly string[];
  readonly oneFileSystem: boolean;
  /** A file that was changed at or after this, in nanoseconds since 1970, is read whatever the parent snapshot says; null where none is doubted. */
  readonly doubtedFromNs: bigint | null;
  /** How files of pages are checked while they are read; null where there are none. */
  readonly pages: PageRules | null;
};

export type WalkStart = {
  readonly walk: number;
  /** Absolute local path of the root. */
  readonly path: Uint8Array;
  /** The root's name in the snapshot. */
  readonly name: Uint8Array;
  /** Id of the tree in the parent snapshot in which an earlier version of the root stands under that name. */
  readonly parentFolder: string | null;
  readonly rules: WalkRules;
};

/** The root of the walk, as its parent folder sees it. */
export type RootNode = {
  readonly isFolder: boolean;
  readonly device: bigint;
  /** Id of the root's tree in the parent snapshot. */
  readonly parent: string | null;
  /** JSON of the node; of a folder with 64 zeros in place of its subtree's id, at `hole`. A file's is complete. */
  readonly node: Uint8Array;
  readonly hole: number;
  readonly counts: WalkCounts;
  readonly unsteady: readonly UnsteadyEntry[];
};

export type FolderTask = {
  readonly walk: number;
  readonly rules: WalkRules;
  /** Of the walk's root. */
  readonly device: bigint;
  /** Absolute local path. */
  readonly path: Uint8Array;
  /** Path below the root of the walk; empty for the root itself. */
  readonly relative: Uint8Array;
  /** Id of the folder's tree in the parent snapshot. */
  readonly parent: string | null;
  /** A part of the folder's names, each ended by NUL; null to list the folder. */
  readonly names: Uint8Array | null;
};

export type WalkCounts = {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly sizeBytes: number;
  readonly newBytes: number;
  readonly unchangedFiles: number;
  /** Nanoseconds since 1970; null if there was no file. */
  readonly newestNs: bigint | null;
};

export const noCounts: WalkCounts = {
  files: 0,
  directories: 0,
  others: 0,
  sizeBytes: 0,
  newBytes: 0,
  unchangedFiles: 0,
  newestNs: null,
};

export const addCounts = (a: WalkCounts, b: WalkCounts): WalkCounts => ({
  files: a.files + b.files,
  directories: a.directories + b.directories,
  others: a.others + b.others,
  sizeBytes: a.sizeBytes + b.sizeBytes,
  newBytes: a.newBytes + b.newBytes,
  unchangedFiles: a.unchangedFiles + b.unchangedFiles,
  newestNs: a.newestNs === null || (b.newestNs !== null && b.newestNs > a.newestNs) ? b.newestNs : a.newestNs,
});

export type UnsteadyEntry = TreeReceipt["unsteady"][number];

/** A folder found inside the one that was read: its node lies in `nodes` and lacks its subtree. */
export type FoundFolder = {
  readonly name: Uint8Array;
  /** Where its node begins and ends in `nodes`, and where the 64 characters of the subtree's id belong. */
  readonly start: number;
  readonly end: number;
  readonly hole: number;
  readonly parent: string | null;
  /** Another file system that is not to be entered: kept as an empty folder. */
  readonly closed: boolean;
};

export type FolderPart = {
  /** False if the folder was gone when it was opened. */
  readonly found: boolean;
  /** JSON of the nodes, joined by commas, in the order of the names. */
  readonly nodes: Uint8Array;
  readonly folders: readonly FoundFolder[];
  /** Names that are left for other tasks, in order, after those of this part. */
  readonly rest: readonly Uint8Array[];
  /** The finished tree, if this part was all of the folder and needs no subtree. */
  readonly tree: string | null;
  readonly counts: WalkCounts;
  readonly unsteady: readonly UnsteadyEntry[];
};
