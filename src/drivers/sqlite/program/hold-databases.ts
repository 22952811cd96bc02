/**
 * Keeps everybody out of databases while their names are exchanged, and first puts into each main file what its siblings hold: a -wal or
 * a journal that is left beside a name would be taken for that of whatever main file bears the name next.
 */
import { rmSync, statSync, utimesSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { RefloatError } from "../../../model/refloat-error.ts";
import { isDamaged, named, openToWrite, valueOf } from "./open-database.ts";
import type { TaskIo } from "./task-io.ts";

export type HoldRequest = {
  /** Locked until the release. */
  readonly lock: readonly string[];
  /** Put right and let go. */
  readonly settle: readonly string[];
  readonly busyTimeoutMs: number;
};

/** The instant of the last write, which the checkpoint would hide. */
const lastWrite = (path: string): { readonly atime: Date; readonly mtime: Date } => {
  const main = statSync(path);
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false });
  const mtime = wal !== undefined && wal.size > 0 && wal.mtimeMs > main.mtimeMs ? wal.mtime : main.mtime;
  return { atime: main.atime, mtime };
};

/** @returns with the exclusive lock held; null for what SQLite cannot read, which has no locks */
const lock = (path: string, busyTimeoutMs: number): DatabaseSync | null => {
  const { atime, mtime } = lastWrite(path);
  const database = openToWrite(path, busyTimeoutMs);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    if (valueOf(database, "PRAGMA main.journal_mode") === "wal") {
      const refused = valueOf(database, "PRAGMA wal_checkpoint(TRUNCATE)");
      if (refused !== 0) throw new RefloatError("fence.failed", `${path} is still in use`);
      // Empty by now, and ours alone. The connection never writes again, so nothing makes them anew.
      rmSync(`${path}-wal`, { force: true });
      rmSync(`${path}-shm`, { force: true });
    } else {
      // Rolls back what a killed writer has begun; the journal is of no use then, whichever mode keeps it.
      database.exec("BEGIN EXCLUSIVE");
      rmSync(`${path}-journal`, { force: true });
    }
    utimesSync(path, atime, mtime);
    return database;
  } catch (error) {
    database.close();
    if (isDamaged(error)) return null;
    throw error;
  }
};

export const holdDatabases = (
  { lock: locked, settle, busyTimeoutMs }: HoldRequest,
  io: TaskIo,
): { readonly damaged: readonly string[] } => {
  const held: DatabaseSync[] = [];
  const damaged: string[] = [];
  const take = (path: string): DatabaseSync | null => {
    const database = named(path, busyTimeoutMs, () => lock(path, busyTimeoutMs));
    if (database === null) damaged.push(path);
    return database;
  };
  try {
    for (const path of settle) take(path)?.close();
    for (const path of locked) {
      const database = take(path);
      if (database !== null) held.push(database);
    }
    io.ready();
    io.untilReleased();
  } finally {
    for (const database of held) database.close();
  }
  return { damaged };
};
