/**
 * Copies databases while others write to them, all as of one moment.
 *
 * A read transaction is held on each while it is copied. In WAL mode it keeps SQLite from overwriting what the snapshot needs, and writers
 * go on: the -wal file is copied first, then the main file, and the copy is opened as SQLite opens a database after a crash. In the
 * modes with a rollback journal it makes a commit wait: so the file is copied before, without it, and only what has changed since is
 * copied again under it. Where the file system can share blocks (reflink) either copy takes no time and no room.
 *
 * Of several databases the write locks are taken first, for the moment that it takes to begin all read transactions.
 */
import { spawnSync } from "node:child_process";
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../../../model/refloat-error.ts";
import { systemClock } from "../../../platform/system-clock.ts";
import {
  isBusy,
  isWalFile,
  isWriteRefused,
  lockedFor,
  named,
  openToRead,
  openToWrite,
  valueOf,
} from "./open-database.ts";

export type CopyRequest = {
  readonly databases: readonly { readonly path: string; readonly copy: string }[];
  readonly busyTimeoutMs: number;
};

export type CopyReport = {
  /** Between these instants lies the moment of the copies. */
  readonly beginAt: string;
  readonly endAt: string;
  /** False: each database is of a moment of its own, since the user may not take their write locks. */
  readonly isOneMoment: boolean;
  /** How long a commit may have had to wait. */
  readonly heldMs: number;
  readonly shared: boolean;
};

type Source = CopyRequest["databases"][number] & {
  readonly isWal: boolean;
  /** Open until the read transaction has ended: closing it earlier would take the locks of this process away. */
  readonly file: number | null;
};

const comparedBytes = 1_048_576;

const cp = (from: string, to: string, reflink: "always" | "auto"): void => {
  const { status, stderr, error } = spawnSync("cp", [`--reflink=${reflink}`, "--", from, to], { encoding: "utf8" });
  if (status === 0) return;
  const said = error === undefined ? stderr.trim() : error.message;
  const isFull = /No space left|quota/i.test(said);
  const what = `${from} could not be copied: ${said}`;
  if (!isFull) throw new RefloatError("source.failed", what);
  const hint = "make room, or name a folder on another file system: scratch:";
  throw new RefloatError("capture.no-space", what, { hint });
};

/** @returns whether the blocks are shared */
const copyFile = (from: string, to: string): boolean => {
  try {
    cp(from, to, "always");
    return true;
  } catch {
    cp(from, to, "auto");
    return false;
  }
};

/** Makes the copy what the source is, by writing what differs. */
const copyDifferences = (from: number, copy: string): void => {
  const [ours, theirs] = [Buffer.alloc(comparedBytes), Buffer.alloc(comparedBytes)];
  const to = openSync(copy, "r+");
  try {
    const { size } = fstatSync(from);
    for (let at = 0; at < size;) {
      const length = readSync(from, theirs, 0, comparedBytes, at);
      if (length === 0) break;
      const had = readSync(to, ours, 0, length, at);
      const source = theirs.subarray(0, length);
      if (!source.equals(ours.subarray(0, had))) writeSync(to, source, 0, length, at);
      at += length;
    }
    ftruncateSync(to, size);
  } finally {
    closeSync(to);
  }
};

/** In the modes with a rollback journal, copies it as it lies: some of it may be half written. Takes no lock, which others would have to wait for. */
const prepare = (source: CopyRequest["databases"][number]): Source & { shared: boolean } => {
  const isWal = isWalFile(source.path);
  const shared = !isWal && copyFile(source.path, source.copy);
  return { ...source, isWal, shared, file: isWal ? null : openSync(source.path, "r") };
};

type Held = { readonly readers: readonly DatabaseSync[]; readonly writers: readonly DatabaseSync[] };

const closeAll = (databases: readonly DatabaseSync[]): void => {
  for (const database of databases) database.close();
};

const beginReading = (path: string, busyTimeoutMs: number): DatabaseSync => {
  const database = openToRead(path, busyTimeoutMs);
  try {
    database.exec("BEGIN");
    valueOf(database, "SELECT count(*) FROM sqlite_schema");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
};

/** Short: between two transactions of a busy writer there may be no more. */
const retryPauseMs = 1;
/** SQLite's own wait looks again ever more seldom, and would find a busy writer's pauses by chance only. */
const beginReadingPatiently = async (path: string, busyTimeoutMs: number): Promise<DatabaseSync> => {
  const deadlineMs = systemClock.monotonicMs() + busyTimeoutMs;
  for (;;) {
    try {
      return beginReading(path, 0);
    } catch (error) {
      if (!isBusy(error))
        return named(path, busyTimeoutMs, () => {
          throw error;
        });
      if (systemClock.monotonicMs() > deadlineMs) throw lockedFor(path, busyTimeoutMs);
      await delay(retryPauseMs);
    }
  }
};

/** Whoever waits for the first while they hold the next must be let through at last, and who only ends a transaction is done by then. */
const patienceMs = 250;

/** @returns whether the lock was taken in time */
const takeWriteLock = async (writer: DatabaseSync, deadlineMs: number): Promise<boolean> => {
  for (;;) {
    try {
      writer.exec("BEGIN IMMEDIATE");
      return true;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (systemClock.monotonicMs() > deadlineMs) return false;
      await delay(retryPauseMs);
    }
  }
};

/** @returns the database that was busy, or null when all are locked */
const takeAll = async (
  writers: readonly { readonly path: string; readonly writer: DatabaseSync }[],
  deadlineMs: number,
): Promise<string | null> => {
  for (const [index, { path, writer }] of writers.entries()) {
    const isFirst = index === 0;
    const untilMs = isFirst ? deadlineMs : Math.min(deadlineMs, systemClock.monotonicMs() + patienceMs);
    if (!(await takeWriteLock(writer, untilMs))) return path;
  }
  return null;
};

/**
 * Somebody who writes to two of them in one transaction may hold the second and wait for the first: then all are let go and asked
 * for again.
 * @returns null where the user may not write to one of them
 */
const lockAll = async (sources: readonly Source[], busyTimeoutMs: number): Promise<readonly DatabaseSync[] | null> => {
  const deadlineMs = systemClock.monotonicMs() + busyTimeoutMs;
  const writers = sources.map(({ path }) => ({ path, writer: openToWrite(path, 0) }));
  const open = writers.map(({ writer }) => writer);
  try {
    for (;;) {
      const busy = await takeAll(writers, deadlineMs);
      if (busy === null) return open;
      for (const { writer } of writers) if (writer.isTransaction) writer.exec("ROLLBACK");
      if (systemClock.monotonicMs() > deadlineMs) throw lockedFor(busy, busyTimeoutMs);
      await delay(retryPauseMs);
    }
  } catch (error) {
    closeAll(open);
    if (isWriteRefused(error)) return null;
    throw error;
  }
};

const hold = async (sources: readonly Source[], busyTimeoutMs: number): Promise<Held & { isOneMoment: boolean }> => {
  const writers = sources.length > 1 ? await lockAll(sources, busyTimeoutMs) : [];
  const readers: DatabaseSync[] = [];
  try {
    for (const { path } of sources) readers.push(await beginReadingPatiently(path, busyTimeoutMs));
    return { readers, writers: writers ?? [], isOneMoment: writers !== null };
  } catch (error) {
    closeAll([...readers, ...(writers ?? [])]);
    throw error;
  }
};

/** The copy as it would be opened after a crash: what its -wal file has is put into it. */
const settleCopy = ({ path, copy }: Source): void =>
  named(path, 0, () => {
    const database = openToWrite(copy, 0);
    try {
      database.exec("PRAGMA synchronous = OFF");
      valueOf(database, "PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      database.close();
    }
    rmSync(`${copy}-wal`, { force: true });
    rmSync(`${copy}-shm`, { force: true });
  });

const walSize = (path: string): number => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;

export const copyDatabases = async ({ databases, busyTimeoutMs }: CopyRequest): Promise<CopyReport> => {
  const sources = databases.map(prepare);
  const beginAt = systemClock.now().toISOString();
  const begunMs = systemClock.monotonicMs();
  const { readers, writers, isOneMoment } = await hold(sources, busyTimeoutMs);
  let shared = true;
  let heldMs = 0;
  let endAt = beginAt;
  try {
    for (const [index, { path, copy, isWal, file, shared: canShare }] of sources.entries()) {
      if (isWal) {
        if (walSize(path) > 0) cp(`${path}-wal`, `${copy}-wal`, "auto");
        continue;
      }
      if (canShare) cp(path, copy, "always");
      else if (file !== null) copyDifferences(file, copy);
      shared &&= canShare;
      readers[index]?.close();
    }
    endAt = systemClock.now().toISOString();
    heldMs = systemClock.monotonicMs() - begunMs;
    closeAll(writers);
    for (const [index, { path, copy, isWal }] of sources.entries()) {
      if (!isWal) continue;
      shared = copyFile(path, copy) && shared;
      readers[index]?.close();
    }
  } finally {
    closeAll([...readers, ...writers].filter(({ isOpen }) => isOpen));
    for (const { file } of sources) if (file !== null) closeSync(file);
  }
  for (const source of sources) if (source.isWal) settleCopy(source);
  const isAnyHeld = sources.length > 1 || sources.some(({ isWal }) => !isWal);
  return { beginAt, endAt, isOneMoment, heldMs: isAnyHeld ? Math.round(heldMs) : 0, shared };
};
