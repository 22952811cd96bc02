/** Which earlier snapshot a new one is compared with, so that what has not changed is not read again. */
import type { Repository } from "../../../core/ports/vault.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { parseGoTime } from "../format/go-time.ts";
import type { StoredSnapshot } from "../format/snapshot-file.ts";
import type { SnapshotFiles } from "../snapshot-files.ts";

type SnapshotOptions = Parameters<Repository["beginSnapshot"]>[0];

/** @returns the one that is asked for, else the newest of the same host and paths; undefined if there is none that can be read */
export const findParent = async (
  snapshots: SnapshotFiles,
  options: SnapshotOptions,
): Promise<StoredSnapshot | undefined> => {
  if (options.parent !== undefined) {
    try {
      return await snapshots.read(options.parent);
    } catch (error) {
      // A parent only saves time.
      if (error instanceof RefloatError && ["vault.damaged", "point.unknown"].includes(error.code)) return undefined;
      throw error;
    }
  }
  const when = (snapshot: StoredSnapshot): bigint => parseGoTime(snapshot.time) ?? 0n;
  const now = BigInt(options.time.getTime()) * 1_000_000n;
  const samePaths = [...options.paths].sort().join("\0");
  return (await snapshots.list()).readable
    .filter(({ hostname, paths }) => hostname === options.hostname && [...paths].sort().join("\0") === samePaths)
    .filter((snapshot) => when(snapshot) <= now)
    .reduce<StoredSnapshot | undefined>(
      (newest, snapshot) => (newest === undefined || when(snapshot) > when(newest) ? snapshot : newest),
      undefined,
    );
};
