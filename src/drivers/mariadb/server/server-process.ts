/** The server that runs on a data folder: it works in its folder, under whatever name that has by now. */
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import type { Clock } from "../../../core/ports/environment.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import {
  type ProcessRow,
  ageMsOf,
  describeProcess,
  isAlive,
  listProcesses,
  readPlaces,
  readProcess,
  sharesProcessIds,
  signalProcess,
  sleepsIn,
  worksIn,
} from "../../../platform/process-table.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import { waitUntil } from "../../../platform/wait-until.ts";
import type { ServerStart } from "./captured-server.ts";

const isServer = (program: string | null): boolean =>
  program !== null && /^(?:mariadbd|mysqld)$/.test(basename(program));

/** Null when none runs, or when it is another user's and we are not root. */
export const findServer = async (folder: string): Promise<ProcessRow | null> => {
  if (!(await pathExists(folder))) return null;
  return (
    listProcesses().find(({ pid }) => isServer(readPlaces(pid).executable) && worksIn(pid, folder) === true) ?? null
  );
};

export const isServed = async (folder: string): Promise<boolean> => (await findServer(folder)) !== null;

const fileBehind = (pid: number, descriptor: number): string | null => {
  try {
    const path = readlinkSync(`/proc/${pid}/fd/${descriptor}`);
    return path.startsWith("/") && !path.startsWith("/dev/") && !path.endsWith(" (deleted)") ? path : null;
  } catch {
    return null;
  }
};

/** With what the server of a folder was started; null when none runs, or it may not be seen. */
export const readStart = async (folder: string): Promise<ServerStart | null> => {
  const row = await findServer(folder);
  if (row === null) return null;
  const { executable, words } = readPlaces(row.pid);
  if (executable === null) return null;
  const log = fileBehind(row.pid, 2);
  return { program: executable, words: words.slice(1), log: log === null || log.startsWith(`${folder}/`) ? null : log };
};

type Waiting = { readonly clock: Clock; readonly signal: AbortSignal };

/** A server with gigabytes of changed pages writes them before it ends. */
const stopMs = 3_600_000;

/** Long enough for a server that puts right what a kill left. */
const startMs = 60_000;

/** One that waits for connections sleeps in poll. Where the kernel does not show that, one that has slept its first minute through has come up. */
const hasComeUp = (server: ProcessRow): boolean => {
  const sleeps = readProcess(server.pid)?.state === "S";
  const where = sleepsIn(server.pid);
  return where === null ? sleeps && ageMsOf(server) > startMs : where.includes("poll");
};

/**
 * A MariaDB that is told to end between its first port and its first connection stays for ever: its threads wait for one another, and a
 * second signal is not heard.
 */
const waitForItsStart = async (waiting: Waiting, server: ProcessRow): Promise<void> => {
  await waitUntil(waiting, startMs, () => !isAlive(server) || hasComeUp(server));
};

/**
 * Ends the server of a folder and waits for its end. Nothing runs there is no error.
 * @param signal SIGTERM lets it write what it has; SIGKILL is for what is to be removed @throws RefloatError fence.failed
 */
export const endServer = async (waiting: Waiting, folder: string, signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
  const running = await findServer(folder);
  if (running === null) return;
  if (!sharesProcessIds(running.pid))
    throw new RefloatError(
      "fence.failed",
      `process ${describeProcess(running.pid)} in a container works in ${folder}`,
      {
        hint: "stop the container, or declare stop: with the line that does",
      },
    );
  if (signal === "SIGTERM") await waitForItsStart(waiting, running);
  signalProcess(running, signal);
  if (await waitUntil(waiting, stopMs, async () => (await findServer(folder))?.pid !== running.pid)) {
    const again = await findServer(folder);
    if (again === null) return;
    throw new RefloatError(
      "fence.failed",
      `process ${describeProcess(again.pid)} serves ${folder} again: something has started it since it was stopped`,
      { hint: "stop what supervises it, or declare stop: with the line that does" },
    );
  }
  throw new RefloatError(
    "fence.failed",
    `the server in ${folder} (pid ${running.pid}) was told to end, and still runs`,
  );
};
