/** The server that runs on a data folder: a server works in its folder, under whatever name that has by now. */
import { realpath } from "node:fs/promises";
import { basename } from "node:path";
import type { Clock } from "../../core/ports/environment.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ProcessRow, listProcesses, readPlaces, signalProcess } from "../../platform/process-table.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import type { RedisTarget } from "./connection-target.ts";
import { replyOf, withRedis } from "./redis-session.ts";

const serverPrograms = /^(?:redis|valkey)-(?:server|check-rdb)/;

/** Null when none runs, or when it is another user's and we are not root. */
export const findRedisProcess = async (folder: string): Promise<ProcessRow | null> => {
  if (!(await pathExists(folder))) return null;
  const place = await realpath(folder);
  const found = listProcesses().filter(({ pid }) => {
    const { workingDirectory, executable } = readPlaces(pid);
    return workingDirectory === place && executable !== null && serverPrograms.test(basename(executable));
  });
  // A child of it writes a file.
  return found.find(({ parent }) => !found.some(({ pid }) => pid === parent)) ?? null;
};

/** A server with gigabytes writes them before it ends. */
const saveMs = 3_600_000;

type Waiting = { readonly clock: Clock; readonly signal: AbortSignal };

const waitForEnd = (waiting: Waiting, folder: string): Promise<boolean> =>
  waitUntil(waiting, saveMs, async () => (await findRedisProcess(folder)) === null);

const stillRuns = (folder: string, row: ProcessRow): RefloatError =>
  new RefloatError("fence.failed", `the server in ${folder} (pid ${row.pid}) was told to end, and still runs`);

/**
 * Lets the server of a folder save all that it has, and end, without a moment between the two. Nothing runs there is no error.
 * @throws RefloatError fence.failed when it refuses, as on a full disk
 */
export const shutDown = async (waiting: Waiting, folder: string, target: RedisTarget): Promise<void> => {
  const running = await findRedisProcess(folder);
  if (running === null) return;
  try {
    await withRedis({ target, signal: waiting.signal }, (session) => session.ask("SHUTDOWN", "SAVE"));
  } catch (error) {
    waiting.signal.throwIfAborted();
    // It ends in place of an answer.
    const reply = replyOf(error);
    if (reply !== null)
      throw new RefloatError("fence.failed", `the server in ${folder} does not shut down: ${reply}`, {
        cause: error,
        hint: reply.startsWith("NOPERM")
          ? "as an administrator: ACL SETUSER NAME +shutdown; or declare stop:"
          : "it could not save: make room on its disk, or stop it by hand; then resume",
      });
  }
  if (!(await waitForEnd(waiting, folder))) throw stillRuns(folder, running);
};

const endBy = async (signal: "SIGKILL" | "SIGTERM", waiting: Waiting, folder: string): Promise<void> => {
  const running = await findRedisProcess(folder);
  if (running === null) return;
  signalProcess(running, signal);
  if (!(await waitForEnd(waiting, folder))) throw stillRuns(folder, running);
};

/** Ends it at once: what is dropped need not be saved. @throws RefloatError fence.failed */
export const killServer = (waiting: Waiting, folder: string): Promise<void> => endBy("SIGKILL", waiting, folder);

/** Ends one that cannot be asked to: it keeps what it is configured to keep. @throws RefloatError fence.failed */
export const terminateServer = (waiting: Waiting, folder: string): Promise<void> => endBy("SIGTERM", waiting, folder);
