/** Until when the store lets nobody delete or replace. */
import type { LockMode } from "../../model/declaration.ts";

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
  /** Files that are not there, hidden by a deletion, or replaced by something else. */
  readonly missing: number;
  /** ISO; null if any file has no lock or is missing. */
  readonly until: string | null;
  readonly mode: LockMode | null;
  /** The least safe file, such as `data/3f...`. */
  readonly weakest: string | null;
};
