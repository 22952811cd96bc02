/**
 * The storage port: where the files of a repository lie. Every store passes `src/testing/store-contract.ts`.
 *
 * Contract:
 * - A file is written once, whole, and never changed. Names are the SHA-256 of the content (hex), except `config`.
 * - *Atomic*: a reader sees all of a file or none of it, also after a crash at any instant of the write.
 * - *Durable*: when `write` or `finish` resolves, the file survives a loss of power.
 * - Writing a name that exists replaces it with the same content; that is no error, since a retry after an unknown outcome does it.
 * - `remove` of a missing file is no error, for the same reason.
 * - A missing file is a `StoreFileMissing`; a full store is vault.no-space; all else is vault.store-failed. Nothing of a failed
 *   write is ever visible under its name.
 * - A server that does not answer is vault.unreachable, one that refuses is vault.denied.
 * - A store knows nothing of the format. Every call may run beside every other.
 * - One that was opened as of an instant shows what there was then, whatever was removed or replaced since, and writes nothing:
 *   `write`, `begin` and `remove` are vault.read-only, and no locks are listed.
 */
import type { LockMode } from "../../../model/declaration.ts";
import { RefloatError } from "../../../model/refloat-error.ts";

export const storeKinds = ["config", "keys", "locks", "snapshots", "index", "data"] as const;
export type StoreKind = (typeof storeKinds)[number];

/** `config` is the one file of its kind; its name is empty. */
export const configName = "";

export type StoredFile = {
  readonly name: string;
  readonly sizeBytes: number;
  /** When it was written, in milliseconds since 1970 by the store's own clock. Only of locks, and only where a listing tells it. */
  readonly writtenMs?: number;
};

/** A file that is being written and has no name yet. */
export type PendingFile = {
  /** Takes a copy before it returns. @throws RefloatError vault.no-space, vault.store-failed */
  readonly append: (part: Uint8Array) => void;
  /** Makes it durable, then visible under its name. At most once, and not after `discard`. */
  readonly finish: (name: string) => Promise<void>;
  /** Removes what was written. Safe after a failed `finish` and more than once; no effect after one that succeeded. */
  readonly discard: () => void;
};

/** Until when, and against whom, a file can be neither removed nor replaced. `governance`: those with a special right still may. */
export type FileLock = { readonly until: Date; readonly mode: LockMode };

/** Who keeps a lock: a server, against everyone; or the file system of a folder, which obeys root. `nobody`: there can be no lock. */
export type LockKeeper = "server" | "file-system" | "nobody";

/** @property locks can this process lock files? @property reason why it cannot */
export type LockAbility = { readonly locks: boolean; readonly reason: string | null; readonly keptBy: LockKeeper };

/**
 * Locks that the store itself keeps, whatever rights in the vault somebody has. Each file is locked for itself: a lock holds the bytes
 * that are there when it is set, and what is written over them later has none.
 */
export type StoreRetention = {
  /** @throws RefloatError vault.denied if it may not be asked */
  readonly support: () => Promise<LockAbility>;
  /**
   * Locks it at least so long and so strictly; what is longer or stricter stays. Idempotent.
   * @param sha256 of what it has to hold, hex: its name, unless it is the config, whose name does not say it
   * @returns the lock that it has now
   * @throws StoreFileMissing; vault.denied; vault.damaged if a server is seen to hold something else in its place
   */
  readonly lock: (kind: StoreKind, name: string, lock: FileLock, sha256?: string) => Promise<FileLock>;
  /** Asks the store, each time. @returns null if it is not locked @throws StoreFileMissing; vault.denied */
  readonly lockOf: (kind: StoreKind, name: string) => Promise<FileLock | null>;
  /**
   * Like `lockOf`, and looks whether it is the file itself that is locked, and not something that was put in its place. As far as the store tells without
   * sending all of it: `--read-data` of a verification tells the rest.
   * @param sha256 as for `lock`
   * @throws RefloatError vault.damaged if it was replaced
   */
  readonly lockOfContent: (
    kind: StoreKind,
    name: string,
    atLeastBytes: number,
    sha256?: string,
  ) => Promise<FileLock | null>;
  /** Like `write`, and at no time is the file there without the lock; or, where both are not one act, without what `resume` needs. */
  readonly writeLocked: (kind: StoreKind, name: string, content: Uint8Array, lock: FileLock) => Promise<void>;
  /** Has `remove` only hidden what it was told to, so that its bytes are still there? Known once something was removed. */
  readonly hides?: () => boolean;
  /**
   * Of a file that is not there: the last instant as of which the store, opened so, still shows it. Null where there is none.
   * @throws RefloatError vault.denied without the right to ask
   */
  readonly lastSeen?: (kind: StoreKind, name: string) => Promise<Date | null>;
  /** Locks what a killed process was about to lock. Only where that takes more than one act. */
  readonly resume?: () => Promise<void>;
};

export type Store = {
  /** As a person would write it. */
  readonly location: string;
  /** Absent where nothing can be locked against whoever may write. */
  readonly retention?: StoreRetention;
  /** Each file of the kind once, in any order. Files written meanwhile may be missing. */
  readonly list: (kind: StoreKind) => AsyncIterable<StoredFile>;
  /** @throws StoreFileMissing */
  readonly stat: (kind: StoreKind, name: string) => Promise<StoredFile>;
  /** The whole file. @throws StoreFileMissing */
  readonly read: (kind: StoreKind, name: string) => Promise<Buffer>;
  /**
   * Exactly `length` bytes from `offset`.
   * @param into memory of at least that length to read into and return a part of, for a caller that reads much
   * @throws StoreFileMissing; vault.damaged if the file ends before
   */
  readonly readRange: (kind: StoreKind, name: string, offset: number, length: number, into?: Buffer) => Promise<Buffer>;
  readonly write: (kind: StoreKind, name: string, content: Uint8Array) => Promise<void>;
  /** Begins a file whose name is known only at its end. A store that cannot append keeps the parts in memory (a pack at most). */
  readonly begin: (kind: StoreKind) => PendingFile;
  /** What is locked in a folder stays: vault.denied. A bucket hides it, and keeps its version. */
  readonly remove: (kind: StoreKind, name: string) => Promise<void>;
  /** Removes what killed writers of this program left half written. @returns how many */
  readonly sweep: () => Promise<number>;
  /** Frees handles; the store is not used afterwards. */
  readonly close: () => Promise<void>;
};

/** For what stands before another store. */
export const retentionOf = ({ retention }: Store): Pick<Store, "retention"> =>
  retention === undefined ? {} : { retention };

/** There is no such file; the caller knows whether that is damage, a wrong address or a race. */
export class StoreFileMissing extends RefloatError {
  readonly kind: StoreKind;
  readonly file: string;

  constructor(kind: StoreKind, file: string, location: string, cause?: unknown) {
    super("vault.damaged", `the vault at ${location} has no ${kind} file ${file}`, {
      cause,
      context: { kind, file },
      hint: "it was removed, or the store lost it; verify the vault",
    });
    this.kind = kind;
    this.file = file;
  }
}

/** For `catch`: what is not there, or was removed since it was listed, reads as null. */
export const ifMissing = (error: unknown): null => {
  if (error instanceof StoreFileMissing) return null;
  throw error;
};
