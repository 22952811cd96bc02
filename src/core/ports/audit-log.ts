/**
 * The audit log: every act on a vault, kept with the vault. An entry is durable on this machine when `append` resolves and on its way
 * into the vault; a vault that cannot be reached never stops a recovery.
 */
import type { AuditAction, AuditHead, AuditPlace } from "../../model/audit-entry.ts";
import type { JsonObject } from "../../model/json.ts";

export type AuditEvent = {
  readonly action: AuditAction;
  readonly outcome: string;
  readonly service: string | null;
  /** Facts: ids, names, numbers. Never a secret. */
  readonly detail: JsonObject;
  /** The `begun` entry that this one ends. */
  readonly ends?: AuditPlace;
};

export type AuditLog = {
  /** @throws RefloatError journal.failed when the state folder cannot be written; then nothing was begun */
  readonly append: (event: AuditEvent) => Promise<AuditPlace>;
  /**
   * Waits until what was appended is in the vault, or cannot be brought there now: then it stays in the state folder, and the next
   * command that reaches the vault brings it. Never throws.
   */
  readonly settle: () => Promise<AuditBacklog>;
  /** What waits now, without an attempt to bring it. Never throws. */
  readonly backlog: () => Promise<AuditBacklog>;
  /** Everything that is known of the log: what is in the vault, and what waits. @throws RefloatError vault.* */
  readonly read: () => Promise<AuditReading>;
};

/** Entries that are on this machine only. */
export type AuditBacklog = {
  readonly entries: number;
  /** Why they are not in the vault; null when there are none. */
  readonly reason: string | null;
  readonly directory: string;
  /** The newest entry of this machine that is in the vault. */
  readonly newest: AuditPlace | null;
};

/** An entry's bytes as they were found; whether they are an entry at all is not known yet. */
export type StoredAuditEntry = {
  readonly text: string;
  /** Snapshot that holds it; null for one that waits on this machine. */
  readonly snapshot: string | null;
};

export type AuditReading = {
  readonly entries: readonly StoredAuditEntry[];
  /** Parts of the log that could not be read. */
  readonly unreadable: readonly { readonly snapshot: string; readonly reason: string }[];
  /** What is known from elsewhere of how far chains have come. */
  readonly anchors: readonly AuditAnchor[];
};

export type AuditAnchor = AuditPlace & {
  /** In a person's words: `this machine`, `point 3c71e0aa`. */
  readonly knownBy: string;
};

/** Where entries are kept with the vault. */
export type AuditArchive = {
  /** Durable when it resolves. The same entry may come again after a crash; that is no second entry. */
  readonly append: (text: string) => Promise<void>;
  readonly read: () => Promise<Pick<AuditReading, "entries" | "unreadable">>;
  /** The newest entry of each chain in the vault, by writer. */
  readonly heads: () => Promise<Readonly<Record<string, AuditHead>>>;
  /** Joins single entries into few snapshots once there are many. @returns how many were joined */
  readonly compact: () => Promise<number>;
};
