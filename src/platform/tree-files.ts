/**
 * Acts on whole trees that Node's own calls do not do well: removal that is right for names that are not UTF-8 and never crosses
 * into another file system, and a flush of all that was written. By the coreutils that are part of every Debian system.
 */
import { lstat } from "node:fs/promises";
import type { Clock } from "../core/ports/environment.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "./subprocess.ts";

export const pathExists = async (path: string): Promise<boolean> => {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
};

/**
 * Removes a tree, a file or a link; nothing there is no error. A symlink is removed, never followed.
 * @throws RefloatError target.failed naming what could not be removed; the rest is gone
 */
export const removeTree = async (path: string, signal: AbortSignal): Promise<void> => {
  const remove = () => runProgram("rm", ["-rf", "--one-file-system", "--", path], { signal });
  try {
    await remove();
  } catch (error) {
    signal.throwIfAborted();
    if (!(await pathExists(path))) return;
    try {
      // Folders that were restored without the right to write keep their owner from emptying them; root needs none of this.
      await runProgram("chmod", ["-R", "u+rwX", "--", path], { signal });
      await remove();
    } catch {
      signal.throwIfAborted();
      throw new RefloatError(
        "target.failed",
        `${path} cannot be removed: ${error instanceof Error ? error.message : "unknown"}`,
        { cause: error },
      );
    }
  }
};

/** Resolves when everything written so far to the file system of `path` is on its disk (syncfs). */
export const syncFileSystem = async (path: string, signal: AbortSignal): Promise<void> => {
  await runProgram("sync", ["-f", "--", path], { signal });
};

/** So long that each call has some hundred megabytes to write, and so short that little is left at the end. */
const writeOutPeriodMs = 700;

/**
 * Lets the disk write what `act` has written while it goes on, so that whoever waits for the disk afterwards, by `syncFileSystem`, waits for the rest alone.
 * Linux tells a write that failed to the first who asks, and no more to those who ask later: what a call here is told fails the work, since the one
 * at the end would be told that all is well.
 * @param path of the file system, there from the beginning
 * @throws what `act` throws; else RefloatError program.failed when the disk did not take what was written
 */
export const writingOut = async <Result>(
  { path, clock, signal }: { readonly path: string; readonly clock: Clock; readonly signal: AbortSignal },
  act: () => Promise<Result>,
): Promise<Result> => {
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const hasPaused = (): Promise<boolean> =>
    clock.sleep(writeOutPeriodMs, until).then(
      () => !until.aborted,
      () => false,
    );
  const writeOut = async (): Promise<void> => {
    while (await hasPaused()) await syncFileSystem(path, signal);
  };
  const written = writeOut().then(
    () => null,
    (error: unknown) => ({ error }),
  );
  const result = await act().finally(() => {
    ended.abort();
    return written;
  });
  const failure = await written;
  if (failure !== null) throw failure.error;
  return result;
};
