/**
 * A lock that the operating system frees when its process dies, by SIGKILL too, and that children do not inherit: SQLite's
 * exclusive lock on an empty file. It holds on one machine; on a network file system it is worth what that file system's locks are.
 *
 * The lock is a POSIX record lock: closing *any* descriptor of the file within the holding process drops it. So nothing
 * but this module may open a lock file.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type ProcessLock = { readonly release: () => void };

/** A lock whose object is collected would be closed, and so freed, while its holder still works. */
const held = new Set<DatabaseSync>();

const sqliteBusy = 5;

const isBusy = (error: unknown): boolean =>
  error instanceof Error &&
  "errcode" in error &&
  typeof error.errcode === "number" &&
  (error.errcode & 0xff) === sqliteBusy;

/**
 * @param path of a file that is only ever a lock; made when missing, and left
 * @param waitMs how long a holder is waited for (blocking): long enough to outlast one who only looked
 * @returns null when another process, or another holder in this one, has the lock
 */
export const acquireProcessLock = (path: string, waitMs: number): ProcessLock | null => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    // `wx`: an existing file must not be opened by other means than SQLite's, since this process may hold its lock.
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const file = new DatabaseSync(path, { timeout: waitMs });
  try {
    file.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    file.close();
    if (isBusy(error)) return null;
    throw error;
  }
  held.add(file);
  return {
    release: () => {
      if (held.delete(file)) file.close();
    },
  };
};
