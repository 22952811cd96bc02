/** The repository's locks as files: who works on it, since when, and whether alone. Both programs read them. */
import { z } from "zod";
import type { Sealer } from "../seal/seal.ts";
import type { Store, StoredFile } from "../stores/store.ts";
import { formatGoTime, parseGoTime } from "../format/go-time.ts";
import { type RepositoryVersion, parseUnpacked, readUnpacked, writeUnpacked } from "../format/unpacked-file.ts";

const lockFileSchema = z.object({
  time: z.string(),
  exclusive: z.boolean(),
  hostname: z.string().default(""),
  username: z.string().default(""),
  pid: z.int().default(0),
  uid: z.int().optional(),
  gid: z.int().optional(),
  refloat: z
    .object({
      session: z.string(),
      role: z.enum(["capture", "read", "prune", "sweep"]),
      machine: z.string().optional(),
      startTicks: z.int().optional(),
    })
    .optional()
    .catch(undefined),
});

/**
 * What only Refloat says and reads in a lock. A *session* is one holder from its first lock file to its last, through all refreshes.
 * Roles: a capture reads which packs are found unused before it counts on any; a sweep is a prune in the moment in which it takes
 * indexes away, exclusive towards restic and harmless to captures of ours.
 */
export type LockRole = "capture" | "read" | "prune" | "sweep";
export type LockSession = {
  readonly session: string;
  readonly role: LockRole;
  /** Where a process id means something: a host's name alone may be that of two machines. Absent in locks of older versions. */
  readonly machine?: string | undefined;
  /** A process id is given again; with the time at which it began it names one process. */
  readonly startTicks?: number | undefined;
};

export type RepositoryLockFile = {
  readonly name: string;
  readonly timeMs: number;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  /** By the store's clock, where it tells. */
  readonly writtenMs?: number | undefined;
  /** Absent in a lock of another program. */
  readonly refloat?: LockSession | undefined;
};

export const readLock = async (
  store: Store,
  sealer: Sealer,
  { name, writtenMs }: Pick<StoredFile, "name" | "writtenMs">,
): Promise<RepositoryLockFile> => {
  const json = await readUnpacked(store, sealer, "locks", name);
  const file = parseUnpacked("locks", name, json, (value) => lockFileSchema.parse(value));
  return {
    name,
    timeMs: Number((parseGoTime(file.time) ?? 0n) / 1_000_000n),
    exclusive: file.exclusive,
    hostname: file.hostname,
    username: file.username,
    pid: file.pid,
    writtenMs,
    refloat: file.refloat,
  };
};

export const writeLock = async (
  store: Store,
  sealer: Sealer,
  version: RepositoryVersion,
  lock: Omit<RepositoryLockFile, "name" | "writtenMs">,
): Promise<string> => {
  const { timeMs, ...rest } = lock;
  const json = { time: formatGoTime(BigInt(timeMs) * 1_000_000n), ...rest };
  return writeUnpacked(store, sealer, version, "locks", Buffer.from(JSON.stringify(json)));
};
