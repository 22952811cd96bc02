/**
 * Ends whatever of a shop still runs: the programs of its kind whose working folder is inside the shop's folder, whoever started
 * them. A person's shell or editor that happens to stand there is left alone.
 */
import { readFile, readdir, readlink } from "node:fs/promises";
import { basename, sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

type Found = { readonly pid: number; readonly parent: number; readonly program: string };

const programs = new Set(["node", "haproxy", "postgres"]);

const readProcess = async (pid: number, folder: string): Promise<Found | null> => {
  try {
    const [workingFolder, executable, status] = await Promise.all([
      readlink(`/proc/${pid}/cwd`),
      readlink(`/proc/${pid}/exe`),
      readFile(`/proc/${pid}/status`, "utf8"),
    ]);
    const program = basename(executable.replace(/ \(deleted\)$/, ""));
    const isInside = workingFolder === folder || workingFolder.startsWith(folder + sep);
    const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? 0);
    return isInside && programs.has(program) && !/^State:\s+Z/m.test(status) ? { pid, parent, program } : null;
  } catch {
    // It ended while we looked, or belongs to somebody else.
    return null;
  }
};

const findProcesses = async (folder: string): Promise<readonly Found[]> => {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 1 && pid !== process.pid);
  const found = await Promise.all(pids.map((pid) => readProcess(pid, folder)));
  return found.filter((one) => one !== null);
};

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

/** @param folder absolute and without links @returns how many were ended */
export const endProcessesIn = async (folder: string): Promise<number> => {
  const first = await findProcesses(folder);
  const patienceMs = 8_000;
  const begunMs = performance.now();
  // A server of PostgreSQL ends its own children; to signal them one by one would read as a crash.
  const postgres = new Set(first.filter(({ program }) => program === "postgres").map(({ pid }) => pid));
  const heads = first.filter(({ parent }) => !postgres.has(parent));
  for (const { pid, program } of heads) send(pid, program === "postgres" ? "SIGINT" : "SIGTERM");
  for (let left = first; left.length > 0; left = await findProcesses(folder)) {
    if (performance.now() - begunMs > patienceMs) for (const { pid } of left) send(pid, "SIGKILL");
    await delay(50);
  }
  return heads.length;
};
