/**
 * Opens SQLite files for durable use: private to their owner, WAL, a commit is on the disk when it returns, numbered
 * migrations, and each failure of SQLite in words. Knows no table.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type Database = DatabaseSync;

/** Each runs once, in order, in a transaction; the number of those that ran is the file's `user_version`. Never edited once published. */
export type Migrations = readonly string[];

export type SqliteFailure = {
  readonly kind: "full" | "read-only" | "corrupt" | "busy" | "unreadable" | "newer" | "other";
  /** `the disk is full`. */
  readonly words: string;
};

/** The file was written by a newer version of the program. */
export class NewerSchemaError extends Error {
  override readonly name = "NewerSchemaError";
}

const memory = ":memory:";
const busyTimeoutMs = 10_000;

/**
 * @param path of the file, made with mode 0600 when it is missing; or `:memory:`
 * @throws what `describeSqliteFailure` can put in words
 */
export const openDatabase = (path: string, migrations: Migrations): Database => {
  if (path !== memory) createPrivately(path);
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
    database.exec("PRAGMA trusted_schema = OFF");
    migrate(database, migrations);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
};

/** SQLite would make the file readable for all; the WAL files take the mode of the file. */
const createPrivately = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
};

const schemaVersion = (database: Database): number =>
  Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);

const migrate = (database: Database, migrations: Migrations): void => {
  if (schemaVersion(database) === migrations.length) return;
  inTransaction(database, () => {
    // Asked again inside: another process may have migrated in between.
    const version = schemaVersion(database);
    if (version > migrations.length)
      throw new NewerSchemaError(`version ${version} of the file is newer than ${migrations.length}`);
    for (const migration of migrations.slice(version)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
};

/** All of it or nothing, and on the disk when it returns. Takes the write lock at its begin, so that what it read stays true. */
export const inTransaction = <Result>(database: Database, work: () => Result): Result =>
  between(database, "BEGIN IMMEDIATE", work);

/** All that is read is of one moment, whatever another process writes meanwhile. */
export const inSnapshot = <Result>(database: Database, work: () => Result): Result => between(database, "BEGIN", work);

/** A part of a transaction that can fail alone: then nothing of it stays, and the rest of the transaction can go on unless the disk ended it. */
export const inSavepoint = <Result>(database: Database, work: () => Result): Result => {
  database.exec("SAVEPOINT part");
  try {
    const result = work();
    database.exec("RELEASE part");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK TO part; RELEASE part");
    throw error;
  }
};

const between = <Result>(database: Database, begin: string, work: () => Result): Result => {
  database.exec(begin);
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk ends the transaction by itself; ROLLBACK would hide that error behind its own.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
};

/** Looks at every page. @returns what is wrong, or null */
export const findCorruption = (database: Database): string | null => {
  const found = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  return found === "ok" ? null : String(found);
};

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const failures: Readonly<Record<number, SqliteFailure>> = {
  5: { kind: "busy", words: "another process keeps it locked" },
  8: { kind: "read-only", words: "it may not be written" },
  10: { kind: "unreadable", words: "the disk does not read or write it" },
  11: { kind: "corrupt", words: "it is damaged" },
  13: { kind: "full", words: "the disk is full" },
  14: { kind: "unreadable", words: "it cannot be opened" },
  26: { kind: "corrupt", words: "it is not a database" },
};

const systemFailures: Readonly<Record<string, SqliteFailure>> = {
  ENOSPC: { kind: "full", words: "the disk is full" },
  EDQUOT: { kind: "full", words: "the quota is used up" },
  EACCES: { kind: "read-only", words: "it may not be opened" },
  EPERM: { kind: "read-only", words: "it may not be opened" },
  EROFS: { kind: "read-only", words: "the file system is read-only" },
};

/** @returns null for what SQLite and the file system did not throw */
export const describeSqliteFailure = (error: unknown): SqliteFailure | null => {
  if (error instanceof NewerSchemaError)
    return { kind: "newer", words: "a newer version of the program has written it" };
  if (!(error instanceof Error)) return null;
  if ("code" in error && error.code === "ERR_INVALID_STATE") return { kind: "other", words: "it is closed" };
  if ("errcode" in error && typeof error.errcode === "number")
    return failures[error.errcode & 0xff] ?? { kind: "other", words: error.message };
  if ("syscall" in error && "code" in error)
    return systemFailures[String(error.code)] ?? { kind: "unreadable", words: error.message };
  return null;
};
