/**
 * What the kernel knows of processes, from /proc: who is alive, whose child, in which session, with which environment. A pid alone
 * names nobody, since it is given again: identity is the pid with its start time in clock ticks.
 */
import { readFile, readdir, readlink } from "node:fs/promises";

export type ProcessIdentity = { readonly pid: number; readonly startTicks: number };

export type ProcessRow = ProcessIdentity & {
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** One letter of the kernel; Z is a process that has ended and waits to be collected. */
  readonly state: string;
};

const readOrNull = async <Result>(read: () => Promise<Result>): Promise<Result | null> => {
  try {
    return await read();
  } catch {
    // It has ended meanwhile, or it is another user's: either way there is nothing to tell.
    return null;
  }
};

export const readProcess = async (pid: number): Promise<ProcessRow | null> => {
  const text = await readOrNull(() => readFile(`/proc/${pid}/stat`, "latin1"));
  if (text === null) return null;
  // The name stands in parentheses and may hold blanks and parentheses itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const numberAt = (index: number): number => Number(fields[index]);
  return {
    pid,
    state: fields[0] ?? "?",
    parent: numberAt(1),
    group: numberAt(2),
    session: numberAt(3),
    startTicks: numberAt(19),
  };
};

/** Ended but not yet collected by its parent counts as gone: it holds no port and no file. */
export const isRunning = (row: ProcessRow | null): row is ProcessRow =>
  row !== null && row.state !== "Z" && row.state !== "X";

export const isAlive = async ({ pid, startTicks }: ProcessIdentity): Promise<boolean> => {
  const row = await readProcess(pid);
  return isRunning(row) && row.startTicks === startTicks;
};

export const listProcesses = async (): Promise<readonly ProcessRow[]> => {
  const names = await readdir("/proc");
  const rows = await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map(async (name) => readProcess(Number(name))),
  );
  return rows.filter(isRunning);
};

/** Null when it has ended or is another user's. */
export const readEnvironment = async (pid: number): Promise<ReadonlyMap<string, string> | null> => {
  const text = await readOrNull(() => readFile(`/proc/${pid}/environ`, "utf8"));
  if (text === null) return null;
  const variables = text.split("\0").filter((entry) => entry.includes("="));
  return new Map(variables.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]));
};

export type ProcessPlaces = {
  readonly workingDirectory: string | null;
  readonly executable: string | null;
  readonly words: readonly string[];
};

/** Nulls where it may not be seen. A folder or program that was removed is told without the kernel's ` (deleted)`. */
export const readPlaces = async (pid: number): Promise<ProcessPlaces> => {
  const withoutNote = (path: string | null): string | null => path?.replace(/ \(deleted\)$/, "") ?? null;
  const [workingDirectory, executable, command] = await Promise.all([
    readOrNull(() => readlink(`/proc/${pid}/cwd`)),
    readOrNull(() => readlink(`/proc/${pid}/exe`)),
    readOrNull(() => readFile(`/proc/${pid}/cmdline`, "utf8")),
  ]);
  return {
    workingDirectory: withoutNote(workingDirectory),
    executable: withoutNote(executable),
    words: (command ?? "").split("\0").filter((word) => word !== ""),
  };
};

/** Its command line for people, cut to a readable length. */
export const describeProcess = async (pid: number): Promise<string> => {
  const { words } = await readPlaces(pid);
  const line = words.join(" ");
  return `${pid}${line === "" ? "" : ` (${line.length > 60 ? `${line.slice(0, 57)}...` : line})`}`;
};

/** Children of children too. */
export const descendantsOf = (pid: number, table: readonly ProcessRow[]): readonly ProcessRow[] => {
  const children = table.filter(({ parent }) => parent === pid);
  return children.flatMap((child) => [child, ...descendantsOf(child.pid, table)]);
};

/** All running processes that have every one of these variables with these values. Those of other users are seen by root only. */
export const findByEnvironment = async (
  variables: Readonly<Record<string, string>>,
): Promise<readonly ProcessRow[]> => {
  const matches = async (row: ProcessRow): Promise<boolean> => {
    const environment = await readEnvironment(row.pid);
    return environment !== null && Object.entries(variables).every(([name, value]) => environment.get(name) === value);
  };
  const table = await listProcesses();
  const found = await Promise.all(table.map(matches));
  return table.filter((_, index) => found[index]);
};

/** The systemd unit that a process belongs to, `shop.service`; null when none does. A unit may start it again after its end. */
export const systemdUnitOf = async (pid: number): Promise<string | null> => {
  const text = await readOrNull(() => readFile(`/proc/${pid}/cgroup`, "utf8"));
  const unit = text === null ? null : /\/([^/\n]+\.service)(\/|$)/m.exec(text)?.[1];
  // A login session and the user's own manager are no supervisors of what was started in them.
  return unit === undefined || unit === null || unit.startsWith("user@") ? null : unit;
};

/** Sends a signal unless the process is not the one that was meant. @returns false when it is gone */
export const signalProcess = async (identity: ProcessIdentity, name: NodeJS.Signals): Promise<boolean> => {
  if (!(await isAlive(identity))) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
};
