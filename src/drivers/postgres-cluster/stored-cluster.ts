/** What the two ways of reading a cluster are given, and what each gives: over the replication protocol, and from the data folder itself. */
import type { CaptureSink, VaultProgress } from "../../core/ports/vault-snapshots.ts";
import type { Session, SessionOptions } from "../../platform/postgres/session.ts";
import type { BackupPosition, BackupTablespace } from "./base-backup.ts";
import type { ServerFacts } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";

export type ClusterSource = {
  readonly context: ClusterContext;
  readonly server: ServerFacts;
  /** How connections to it are opened. */
  readonly asked: SessionOptions;
  /** One of them, on which nothing is under way. */
  readonly session: Session;
};

export type ClusterSink = {
  readonly sink: CaptureSink;
  /** The component's folder in the snapshot. */
  readonly root: string;
  readonly progress: VaultProgress;
};

export type StoredCluster = {
  readonly files: number;
  readonly sizeBytes: number;
  /** Of files of databases by path within the backup; those of a tablespace below `pg_tblspc/OID/`. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Folders of the data folder, and of each tablespace: empty ones are in no file's path, and the server needs them. */
  readonly folders: Readonly<Record<string, readonly string[]>>;
};

export type StoredBackup = StoredCluster & {
  readonly start: BackupPosition;
  /** The backup is the cluster as of here. */
  readonly end: BackupPosition;
  readonly tablespaces: readonly BackupTablespace[];
  /** The server's own list of the files, where it is the server that has read them. */
  readonly manifest: Buffer | null;
  /** What a person is told of the backup. */
  readonly warnings: readonly string[];
};
