/** What the file system says of databases. */
import { lstat } from "node:fs/promises";
import type { DatabaseFile } from "./database-files.ts";
import type { Stamp } from "./sqlite-facts.ts";

const statOrNull = (path: string) =>
  lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });

export const readStamp = async (path: string): Promise<Stamp> => {
  const wal = await statOrNull(`${path}-wal`);
  const main = await lstat(path);
  const hasWal = wal !== null && wal.size > 0;
  return {
    inode: main.ino,
    sizeBytes: main.size,
    modifiedMs: main.mtimeMs,
    walBytes: hasWal ? wal.size : 0,
    walModifiedMs: hasWal ? wal.mtimeMs : 0,
  };
};

export const readStamps = async (databases: readonly DatabaseFile[]): Promise<Record<string, Stamp>> =>
  Object.fromEntries(
    await Promise.all(databases.map(async ({ name, path }) => [name, await readStamp(path)] as const)),
  );

/** Of a database, the newest that it or its -wal file was written at. */
export const writtenAtMs = ({ modifiedMs, walModifiedMs }: Stamp): number => Math.max(modifiedMs, walModifiedMs);

export const isSameStamp = (a: Stamp, b: Stamp): boolean =>
  a.inode === b.inode &&
  a.sizeBytes === b.sizeBytes &&
  a.modifiedMs === b.modifiedMs &&
  a.walBytes === b.walBytes &&
  a.walModifiedMs === b.walModifiedMs;
