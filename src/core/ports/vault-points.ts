/** Recovery points over a repository, and what belongs to them: their chain, holds, departures, copies of runs. */
import type { PointId, SnapshotId } from "../../model/identifiers.ts";
import type { PointManifest, RecoveryPoint } from "../../model/manifest.ts";
import type { GonePoint, RootedPoint } from "../points/root-chain.ts";
import type { CopyReceipt, SnapshotCopying } from "./vault-copying.ts";
import type { SnapshotInfo, Unreadable, VaultProgress } from "./vault-snapshots.ts";

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
  /** Takes that back for points that the store did not let go of: should somebody take them later, they are missed. */
  readonly takeBack: (points: readonly Omit<Departure, "recordedAt">[]) => Promise<void>;
  readonly list: () => Promise<ReadonlyMap<PointId, Departure>>;
  /** Joins many records into one; nothing of them is forgotten. @returns how many were joined */
  readonly compact: () => Promise<number>;
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
  /** Of all runs; of one run the newest first. */
  readonly all: () => Promise<readonly RunCopy[]>;
  /** All copies of one run, the newest first. Asked again it reads only what has come since. */
  readonly of: (uid: string) => Promise<readonly RunCopy[]>;
  /** @throws RefloatError run.unknown */
  readonly read: (uid: string) => Promise<Uint8Array>;
};
