/** Opens databases and says what SQLite says in words that name the file. */
import { pathToFileURL } from "node:url";
import { DatabaseSync } from "node:sqlite";
import { closeSync, lstatSync, openSync, readSync } from "node:fs";
import { RefloatError } from "../../../model/refloat-error.ts";
import { findFileHolders } from "../../../platform/file-holders.ts";
import { describeProcess } from "../../../platform/process-table.ts";

/** SQLite's result codes: https://www.sqlite.org/rescode.html */
const codes = {
  generic: 1,
  denied: 3,
  busy: 5,
  locked: 6,
  readOnly: 8,
  input: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
} as const;

export const errorNumber = (error: unknown): number | null =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : null;

const primary = (error: unknown): number | null => {
  const number = errorNumber(error);
  return number === null ? null : number & 0xff;
};

export const isBusy = (error: unknown): boolean => [codes.busy, codes.locked].some((code) => code === primary(error));

/** The content is wrong, not the way to it. */
export const isDamaged = (error: unknown): boolean =>
  [codes.corrupt, codes.notDatabase].some((code) => code === primary(error));

export const isWriteRefused = (error: unknown): boolean =>
  [codes.readOnly, codes.denied, codes.cannotOpen].some((code) => code === primary(error));

/** SQLite would make one that is missing. @throws RefloatError source.failed */
const requireThere = (path: string): void => {
  try {
    lstatSync(path);
  } catch (error) {
    const found =
      error instanceof Error && "code" in error && error.code === "ENOENT" ? "is not there" : "cannot be looked at";
    throw new RefloatError("source.failed", `the database ${path} ${found}`, {
      cause: error,
      hint: "is the path right? what was lost comes back from a point: refloat recover",
    });
  }
};

const holdersOf = (path: string): string => {
  try {
    const { dev, ino } = lstatSync(path);
    const { holders } = findFileHolders([{ device: dev, inode: ino }], [process.pid, process.ppid]);
    return holders.length === 0 ? "" : `: ${holders.map(({ pid }) => describeProcess(pid)).join(", ")}`;
  } catch {
    return "";
  }
};

/** Somebody else had the lock of a database for all the time that one was ready to wait. */
export const lockedFor = (path: string, waitedMs: number, cause?: Error): RefloatError =>
  new RefloatError(
    "source.unreachable",
    `${path} was locked by another process for ${waitedMs / 1_000} s${holdersOf(path)}`,
    { cause, hint: "wait until its transaction has ended, or set busyTimeout: higher" },
  );

const inWords = (path: string, error: Error, seconds: number): RefloatError => {
  const text = error.message;
  switch (primary(error) ?? codes.generic) {
    case codes.busy:
    case codes.locked:
      return lockedFor(path, seconds * 1_000, error);
    case codes.notDatabase:
      return new RefloatError("source.failed", `${path} is no SQLite database, or its first page is damaged`, {
        cause: error,
        hint: "an encrypted database (SQLCipher) looks like this too, and cannot be read without its program",
      });
    case codes.corrupt:
      return new RefloatError("source.failed", `${path} is damaged: ${text}`, { cause: error });
    case codes.cannotOpen:
    case codes.denied:
      return new RefloatError("source.denied", `${path} cannot be opened: ${text}`, {
        cause: error,
        hint: "the user that runs Refloat needs to read the file and, for its -wal and -shm, to write in its folder",
      });
    case codes.readOnly:
      return new RefloatError("source.denied", `${path} cannot be written: ${text}`, {
        cause: error,
        hint: "a database that was not closed well has to be mended by its first reader, who needs the right to write",
      });
    case codes.full:
      return new RefloatError("target.failed", `${path} cannot be written: the disk is full`, { cause: error });
    case codes.input:
      return new RefloatError("source.failed", `${path} cannot be read: ${text}`, { cause: error });
    case codes.generic:
    default:
      return /no such (?:module|collation sequence|function)/.test(text)
        ? new RefloatError("source.unsupported", `${path} needs an extension that is not here: ${text}`, {
            cause: error,
          })
        : new RefloatError("source.failed", `${path}: ${text}`, { cause: error });
  }
};

/** Runs `act`; what SQLite throws comes out as an error that names the file. */
export const named = <Value>(path: string, busyTimeoutMs: number, act: () => Value): Value => {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Error) || errorNumber(error) === null) throw error;
    throw inWords(path, error, busyTimeoutMs / 1_000);
  }
};

const prepared = (database: DatabaseSync): DatabaseSync => {
  // What a schema calls (views, generated columns) is not trusted further than SQLite's own functions.
  database.exec("PRAGMA trusted_schema = OFF");
  return database;
};

/** Reads the first page, so that what cannot be read is told by the opening and not by the first query. */
const touch = (database: DatabaseSync): void =>
  void database.prepare("SELECT count(*) FROM main.sqlite_schema LIMIT 1").all();

/** By byte 18 of the file, without a lock. Not for a file that this process has locked: closing it ends the locks. */
export const isWalFile = (path: string): boolean => {
  const header = Buffer.alloc(20);
  const file = openSync(path, "r");
  try {
    readSync(file, header, 0, header.length, 0);
  } finally {
    closeSync(file);
  }
  return header[18] === 2;
};

export const openToWrite = (path: string, busyTimeoutMs: number): DatabaseSync => {
  requireThere(path);
  return prepared(new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: false }));
};

const opening = (database: DatabaseSync): DatabaseSync => {
  try {
    prepared(database);
    touch(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
};

/**
 * Opens to read. A journal that a killed writer left makes the first reader put the database right, as the application would at its next
 * start; for that alone it is opened to write.
 */
export const openToRead = (path: string, busyTimeoutMs: number): DatabaseSync => {
  requireThere(path);
  try {
    return opening(new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs }));
  } catch (error) {
    if (!isWriteRefused(error)) throw error;
    return opening(openToWrite(path, busyTimeoutMs));
  }
};

/** A file that nobody writes: no lock is taken and nothing is made beside it. */
export const openUnchanging = (path: string): DatabaseSync => {
  requireThere(path);
  const url = pathToFileURL(path);
  url.searchParams.set("immutable", "1");
  return opening(new DatabaseSync(url, { readOnly: true }));
};

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const valueOf = (database: DatabaseSync, sql: string): unknown => {
  const row = database.prepare(sql).get();
  return row === undefined ? null : Object.values(row)[0];
};

export type NamedDatabase = { readonly name: string; readonly path: string };

/**
 * One connection to all databases of a component, read-only: the only one as `main`, several each under its name without `.db`, so
 * that one query can ask all of them. A table that only one of them has needs no database before its name.
 */
export const openTogether = (databases: readonly NamedDatabase[], busyTimeoutMs: number): DatabaseSync => {
  const [only] = databases;
  if (only !== undefined && databases.length === 1)
    return named(only.path, busyTimeoutMs, () => openToRead(only.path, busyTimeoutMs));
  const database = new DatabaseSync(":memory:", { timeout: busyTimeoutMs });
  try {
    for (const { name, path } of databases)
      named(path, busyTimeoutMs, () => {
        // Opened by itself first, which puts right what a killed writer has left.
        openToRead(path, busyTimeoutMs).close();
        const url = pathToFileURL(path);
        url.searchParams.set("mode", "ro");
        database.prepare(`ATTACH ? AS ${quoteName(schemaName(name))}`).run(url.href);
      });
    return prepared(database);
  } catch (error) {
    database.close();
    throw error;
  }
};

/** `shop.db` is asked as `shop`, `tenants/a.sqlite` as `tenants/a`. */
const schemaName = (name: string): string => name.replace(/\.(?:db|sqlite3?|db3)$/i, "");
