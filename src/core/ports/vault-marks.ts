/** Named moments of services, kept in the vault: records that are only ever added, so that a lock hinders nobody and a copy carries them. */
import type { SnapshotId } from "../../model/identifiers.ts";
import type { Mark } from "../../model/mark.ts";

export type MarkStore = {
  /** Those that were not removed, the newest moment first. One whose record is damaged is left out. */
  readonly list: (service?: string) => Promise<readonly Mark[]>;
  /** Durable when it resolves. @param mark `at` in ISO 8601 @throws RefloatError vault.* */
  readonly add: (mark: Pick<Mark, "service" | "name" | "at" | "by" | "aligned">) => Promise<Mark>;
  /** Records that the mark counts no more; the record of the mark itself stays. */
  readonly remove: (mark: Mark, by: string) => Promise<void>;
  /** Ids of all records, of removed marks and of removals too: what a copy of the vault carries. Oldest first. */
  readonly records: (service: string) => Promise<readonly SnapshotId[]>;
};
