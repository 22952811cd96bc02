/**
 * Whether a file system may be frozen: not where something that has to go on writes to it, the one that thaws before all. What lies in an image file is held by
 * the file system of the image too.
 */
import { readFile, realpath, stat, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { mountPointsBelow } from "../mount-points.ts";
import { programEntry } from "../program-files.ts";
import { defaultCacheDirectory } from "../state-directories.ts";
import { describeSystemError } from "../system-error.ts";

/** What must not wait: `the vault`, and where it lies, or will. */
export type WrittenPlace = { readonly what: string; readonly path: string };

/** What writes while a file system is frozen, and what thaws it; without the vault. */
export const ownPlaces = ({
  stateDirectory,
  log,
}: {
  readonly stateDirectory: string;
  /** A file; null or `-` for none. */
  readonly log: string | null;
}): readonly WrittenPlace[] => [
  { what: "the system", path: "/" },
  { what: "the program", path: fileURLToPath(programEntry("freeze-keeper")) },
  { what: "the program", path: process.execPath },
  { what: "the state folder", path: stateDirectory },
  { what: "temporary files", path: tmpdir() },
  { what: "the cache", path: defaultCacheDirectory() },
  ...(log === null || log === "-" ? [] : [{ what: "the log", path: log }]),
];

/** Of `statfs`: those that were tried. ext2 and ext3 have the number of ext4 and are mounted by it. */
const freezable = new Map([
  [0xef_53, "ext4"],
  [0x58_46_53_42, "xfs"],
]);
const btrfsMagic = 0x91_23_68_3e;

/** Of what is not there yet, its nearest folder. */
const deviceOf = async (path: string): Promise<bigint> => {
  try {
    return (await stat(path, { bigint: true })).dev;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || path === dirname(path)) throw error;
    return deviceOf(dirname(path));
  }
};

const numberOf = (device: bigint): string => {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return `${major}:${minor}`;
};

/** Of a loop device, and of a part of one, the file that it shows; null of any other. */
const imageOf = async (device: bigint): Promise<string | null> => {
  for (const place of ["loop", "../loop"]) {
    const path = `/sys/dev/block/${numberOf(device)}/${place}/backing_file`;
    const found = await readFile(path, "utf8").catch(() => null);
    if (found !== null) return found.trimEnd();
  }
  return null;
};

/** The file system that a path lies on, and those that it rests on in turn. */
const devicesBelow = async (path: string): Promise<ReadonlySet<bigint>> => {
  const devices = new Set<bigint>();
  for (let at: string | null = path; at !== null;) {
    const device: bigint = await deviceOf(at);
    if (devices.has(device)) break;
    devices.add(device);
    at = await imageOf(device);
  }
  return devices;
};

const kindObstacle = async (filesystem: string): Promise<string | null> => {
  const { type } = await statfs(filesystem);
  if (freezable.has(type)) return null;
  return type === btrfsMagic
    ? `${filesystem} is on btrfs, which has snapshots: declare snapshot: btrfs on its components, which holds nobody`
    : `${filesystem} is on no ${[...freezable.values()].join(" or ")}`;
};

/**
 * @param filesystem any folder on it
 * @param components by name the path that is read while it is frozen; each must lie on it, whole
 * @returns why it is not to be frozen; null when it may be
 */
export const freezeObstacle = async (
  filesystem: string,
  components: Readonly<Record<string, string>>,
  written: readonly WrittenPlace[],
): Promise<string | null> => {
  try {
    const device = await deviceOf(await realpath(filesystem));
    const kind = await kindObstacle(filesystem);
    if (kind !== null) return kind;
    for (const { what, path } of written) {
      if ((await devicesBelow(path)).has(device))
        return `${filesystem} is on the file system of ${what} (${path}), which must not wait for a thaw`;
    }
    for (const [component, declared] of Object.entries(components)) {
      const path = await realpath(declared);
      if ((await deviceOf(path)) !== device) return `${component} (${path}) lies on another file system`;
      const [mounted] = await mountPointsBelow(path);
      if (mounted !== undefined) return `${mounted}, below ${component}, is a file system of its own`;
    }
    return null;
  } catch (error) {
    return `${filesystem} cannot be looked at: ${describeSystemError(error)}`;
  }
};
