/** The server of one data folder: does it run, what was it started with, how is it started and stopped. Whose folder it is decides the caller. */
import { readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { shellWord } from "../../core/text/shell-word.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import {
  type ProcessRow,
  describeProcess,
  isRunning,
  listProcesses,
  readPlaces,
  readProcess,
  sharesProcessIds,
  signalProcess,
  worksIn,
} from "../../platform/process-table.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { withoutDisarmed } from "./command-line.ts";
import { readMajor } from "./control-data.ts";
import { ownerOf, runAsOwner } from "../../platform/folder-server/folder-owner.ts";
import { findServerPrograms } from "./server-programs.ts";

export type Postmaster = {
  readonly pid: number;
  readonly port: number;
  /** Does it say of itself that it accepts work? */
  readonly ready: boolean;
};

const readText = async (path: string): Promise<string | null> => {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
};

/** Lines of postmaster.pid: pid, folder, start, port, socket folder, address, shared memory, status. */
const [portLine, statusLine] = [3, 7];

/** By what everybody may see of another user's process. */
const isServerProgram = (pid: number): boolean => basename(readPlaces(pid).words[0] ?? "") === "postgres";

/** The server that runs in a folder, whatever the folder was called when it was started; null when none does. */
export const findPostmaster = async (folder: string): Promise<Postmaster | null> => {
  const text = await readText(join(folder, "postmaster.pid"));
  if (text === null) return null;
  const lines = text.split("\n");
  const pid = Math.abs(Number(lines[0]));
  if (!isRunning(readProcess(pid))) return null;
  // A pid that was left behind may be somebody else's by now. A server works in its data folder.
  const works = worksIn(pid, folder);
  if (works === false || (works === null && !isServerProgram(pid))) return null;
  return { pid, port: Number(lines[portLine]), ready: (lines[statusLine] ?? "").trim() === "ready" };
};

export type StartOptions = {
  /** What follows the program on its command line, as a shell reads it, without the data folder. */
  readonly options: string;
  /** Where it writes to what it says before its own logging begins. */
  readonly log: string;
};

/** With what the server of a folder was started last; null when it never was. */
export const readStartOptions = async (folder: string): Promise<StartOptions | null> => {
  const text = await readText(join(folder, "postmaster.opts"));
  if (text === null) return null;
  const words = [...text.matchAll(/"(?<word>[^"]*)"/g)].map((match) => match.groups?.["word"] ?? "");
  const kept: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    if (words[at] === "-D") at += 1;
    else kept.push(words[at] ?? "");
  }
  const running = await findPostmaster(folder);
  const written = running === null ? null : await readlink(`/proc/${running.pid}/fd/2`).catch(() => null);
  const isFile = written !== null && written.startsWith("/") && !written.startsWith("/dev/");
  return {
    options: withoutDisarmed(kept).map(shellWord).join(" "),
    log: isFile && !written.startsWith(`${folder}/`) ? written : join(folder, "refloat-server.log"),
  };
};

const startTimeoutSeconds = 3_600;
const linesShown = 8;
const lookAgainMs = 50;

const lastWords = async (path: string): Promise<string> => {
  const text = (await readText(path).catch(() => null)) ?? "";
  return text.trimEnd().split("\n").slice(-linesShown).join("\n");
};

/**
 * Starts the server of a folder and waits until it accepts work. Idempotent.
 * @throws RefloatError target.failed with the last lines that it wrote
 */
export const startPostmaster = async (
  context: ClusterContext,
  folder: string,
  { options, log }: StartOptions,
): Promise<Postmaster> => {
  const running = await findPostmaster(folder);
  if (running?.ready === true) return running;
  const programs = await findServerPrograms(context, await readMajor(folder));
  const owner = await ownerOf(folder, context.signal);
  const control = [join(programs, "pg_ctl"), "-D", folder, "-s", "-w", "-t", String(startTimeoutSeconds), "-l", log];
  try {
    await runAsOwner(context, owner, [...control, "-o", options, "start"]);
  } catch (error) {
    context.signal.throwIfAborted();
    const said = await lastWords(log);
    throw new RefloatError(
      "target.failed",
      `the server in ${folder} does not start: ${said === "" ? String(error) : said}`,
      {
        cause: error,
        hint: `what it says stands in ${log}`,
      },
    );
  }
  // While it replays its log, pg_ctl takes it for a standby that is up.
  for (;;) {
    const started = await findPostmaster(folder);
    if (started?.ready === true) return started;
    if (started === null)
      throw new RefloatError(
        "target.failed",
        `the server in ${folder} has ended while it started: ${await lastWords(log)}`,
        { hint: `what it says stands in ${log}` },
      );
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/**
 * Stops the server of a folder: its sessions are ended, what they did not commit is rolled back. Nothing runs there is no error.
 * @throws RefloatError fence.failed
 */
export const stopPostmaster = async (context: ClusterContext, folder: string): Promise<void> => {
  if ((await findPostmaster(folder)) === null) return;
  const programs = await findServerPrograms(context, await readMajor(folder));
  const owner = await ownerOf(folder, context.signal);
  try {
    await runAsOwner(context, owner, [
      join(programs, "pg_ctl"),
      "-D",
      folder,
      "-s",
      "-w",
      "-t",
      String(startTimeoutSeconds),
      "-m",
      "fast",
      "stop",
    ]);
  } catch (error) {
    context.signal.throwIfAborted();
    if ((await findPostmaster(folder)) === null) return;
    throw new RefloatError("fence.failed", `the server in ${folder} cannot be stopped: ${String(error)}`, {
      cause: error,
    });
  }
};

/** How long the kernel may take to let go of a process that it has killed. */
const killTimeoutMs = 10_000;

/** Processes of a server's program that work in a data folder: its own, whoever their parent is by now. */
const workersOf = (folder: string): readonly ProcessRow[] =>
  listProcesses().filter(({ pid }) => {
    const { executable } = readPlaces(pid);
    return executable !== null && basename(executable) === "postgres" && worksIn(pid, folder) === true;
  });

/**
 * Ends what a server has left that did not stop but died: a back end whose postmaster is gone still commits what lies in its socket, and
 * says so to its client. A server that runs is not ended: whoever has started it would start it again.
 * @throws RefloatError fence.failed
 */
export const endLeftBackEnds = async (context: ClusterContext, folder: string): Promise<void> => {
  const deadline = context.clock.monotonicMs() + killTimeoutMs;
  for (;;) {
    // Listed before it is asked who runs: what a supervisor starts meanwhile is not among them.
    const left = workersOf(folder);
    const running = await findPostmaster(folder);
    if (running !== null)
      throw new RefloatError(
        "fence.failed",
        `process ${describeProcess(running.pid)} serves ${folder} again: something has started it since it was stopped`,
        { hint: "stop what supervises it, or declare stop: with the line that does" },
      );
    if (left.length === 0) return;
    // The server of a container is seen from here, and ends with its container.
    const [own, contained] = [left.filter(isOurs), left.filter((row) => !isOurs(row))];
    for (const row of own) signalProcess(row, "SIGKILL");
    if (context.clock.monotonicMs() > deadline) throw remaining(folder, own, contained);
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

const isOurs = ({ pid }: ProcessRow): boolean => sharesProcessIds(pid);

const remaining = (folder: string, own: readonly ProcessRow[], contained: readonly ProcessRow[]): RefloatError => {
  const named = (rows: readonly ProcessRow[]): string => rows.map(({ pid }) => describeProcess(pid)).join(" and ");
  return own.length > 0
    ? new RefloatError(
        "fence.failed",
        `process ${named(own)} of the server in ${folder} does not end, not even by SIGKILL`,
      )
    : new RefloatError("fence.failed", `process ${named(contained)} in a container works in ${folder}`, {
        hint: "stop the container, or declare stop: with the line that does",
      });
};
