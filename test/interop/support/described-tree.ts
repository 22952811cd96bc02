/** All that a restore has to bring back, as plain values that can be compared. */
import { createHash } from "node:crypto";
import { type BigIntStats, createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { expect } from "vitest";

export type DescribedEntry = {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly mtimeNs: bigint;
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly target: string | null;
  readonly device: bigint | null;
  /** Paths (hex) of all names of the same file, if there are several. */
  readonly names: readonly string[];
};

const typeOf = (stats: BigIntStats): string =>
  stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "dir"
      : stats.isSymbolicLink()
        ? "symlink"
        : stats.isFIFO()
          ? "fifo"
          : stats.isCharacterDevice()
            ? "chardev"
            : stats.isBlockDevice()
              ? "dev"
              : stats.isSocket()
                ? "socket"
                : "irregular";

const digest = async (path: Buffer): Promise<string> => {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
};

/** @returns entries below the root by their path in hex, the root itself under "" */
export const describeTree = async (root: string): Promise<Record<string, DescribedEntry>> => {
  const entries: [string, DescribedEntry][] = [];
  const names = new Map<bigint, string[]>();
  const visit = async (path: Buffer, relative: Buffer): Promise<void> => {
    const stats = await lstat(path, { bigint: true });
    const type = typeOf(stats);
    const key = relative.toString("hex");
    const linked = type === "file" && stats.nlink > 1n ? (names.get(stats.ino) ?? []) : [];
    if (type === "file" && stats.nlink > 1n) {
      linked.push(key);
      names.set(stats.ino, linked);
    }
    entries.push([
      key,
      {
        type,
        mode: (stats.mode & 0o7777n).toString(8),
        owner: `${stats.uid}:${stats.gid}`,
        mtimeNs: stats.mtimeNs,
        sizeBytes: type === "file" ? Number(stats.size) : 0,
        sha256: type === "file" ? await digest(path) : null,
        target: type === "symlink" ? (await readlink(path, { encoding: "buffer" })).toString("hex") : null,
        device: type === "dev" || type === "chardev" ? stats.rdev : null,
        names: linked,
      },
    ]);
    if (type !== "dir") return;
    for (const name of (await readdir(path, { encoding: "buffer" })).sort((a, b) => a.compare(b))) {
      const below = relative.length === 0 ? name : Buffer.concat([relative, Buffer.from("/"), name]);
      await visit(Buffer.concat([path, Buffer.from("/"), name]), below);
    }
  };
  await visit(Buffer.from(root), Buffer.alloc(0));
  return Object.fromEntries(entries);
};

/**
 * @param toleranceNs 0 for times that have to be exact; Node sets times by doubles, which loses some 240 nanoseconds of today's instants
 */
export const expectSameTree = (
  restored: Record<string, DescribedEntry>,
  original: Record<string, DescribedEntry>,
  toleranceNs: bigint,
): void => {
  const withoutTime = (tree: Record<string, DescribedEntry>) =>
    Object.fromEntries(Object.entries(tree).map(([path, entry]) => [path, { ...entry, mtimeNs: 0n }]));
  expect(withoutTime(restored)).toEqual(withoutTime(original));
  const off = Object.entries(original).filter(([path, { mtimeNs }]) => {
    const difference = (restored[path]?.mtimeNs ?? 0n) - mtimeNs;
    return difference > toleranceNs || difference < -toleranceNs;
  });
  expect(off.map(([path, { mtimeNs }]) => ({ path, mtimeNs, restored: restored[path]?.mtimeNs }))).toEqual([]);
};
