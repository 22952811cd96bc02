/** The server that runs on a data folder: it holds its database open, by whatever name it was started. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../core/ports/environment.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { findFileHolders } from "../../platform/file-holders.ts";
import { type ProcessRow, signalProcess } from "../../platform/process-table.ts";
import { waitUntil } from "../../platform/wait-until.ts";

export const databaseOf = (folder: string): string => join(folder, "member", "snap", "db");

/** Null when none runs, or when it is another user's and we are not root. */
export const findEtcdProcess = async (folder: string): Promise<ProcessRow | null> => {
  const found = await lstat(databaseOf(folder)).catch(() => null);
  if (found === null) return null;
  return findFileHolders([{ device: found.dev, inode: found.ino }]).holders[0] ?? null;
};

const endMs = 60_000;

/** Ends the server of an instance. Nothing runs there is no error. @throws RefloatError fence.failed */
export const endEtcd = async (
  waiting: { readonly clock: Clock; readonly signal: AbortSignal },
  folder: string,
  signal: "SIGTERM" | "SIGKILL",
): Promise<void> => {
  const running = await findEtcdProcess(folder);
  if (running === null) return;
  signalProcess(running, signal);
  if (await waitUntil(waiting, endMs, async () => (await findEtcdProcess(folder)) === null)) return;
  throw new RefloatError(
    "fence.failed",
    `the server in ${folder} (pid ${running.pid}) was told to end, and still runs`,
  );
};
