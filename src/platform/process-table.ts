/**
 * What the kernel knows of processes, from /proc: who is alive, whose child, in which session, with which environment. A pid alone
 * names nobody, since it is given again: identity is the pid with its start time in clock ticks.
 *
 * Read synchronously: /proc waits for no disk, and a thousand small asynchronous reads take ten times as long.
 */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { maskWords } from "../core/init/mask-words.ts";

export type ProcessIdentity = { readonly pid: number; readonly startTicks: number };

export type ProcessRow = ProcessIdentity & {
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** One letter of the kernel; Z is a process that has ended and waits to be collected. */
  readonly state: string;
};

const readOrNull = <Result>(read: () => Result): Result | null => {
  try {
    return read();
  } catch {
    // It has ended meanwhile, or it is another user's: either way there is nothing to tell.
    return null;
  }
};

export const readProcess = (pid: number): ProcessRow | null => {
  const text = readOrNull(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
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

/**
 * Ended but not yet collected by its parent counts as gone: it holds no port and no file. While other threads of it are still on
 * their way out (or go on without the first one) it is not gone.
 */
export const isRunning = (row: ProcessRow | null): row is ProcessRow => {
  if (row === null || row.state === "X") return false;
  return row.state !== "Z" || (readOrNull(() => readdirSync(`/proc/${row.pid}/task`)) ?? []).length > 1;
};

export const isAlive = ({ pid, startTicks }: ProcessIdentity): boolean => {
  const row = readProcess(pid);
  return isRunning(row) && row.startTicks === startTicks;
};

export const listProcesses = (): readonly ProcessRow[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter(isRunning);

/** Null when it has ended or is another user's. */
export const readEnvironment = (pid: number): ReadonlyMap<string, string> | null => {
  const text = readOrNull(() => readFileSync(`/proc/${pid}/environ`, "utf8"));
  if (text === null) return null;
  const variables = text.split("\0").filter((entry) => entry.includes("="));
  return new Map(variables.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]));
};

/** Is it the first process of a PID name space below ours? When it ends, the kernel ends all that are in there. */
export const isFirstOfNamespace = (pid: number): boolean => {
  const status = readOrNull(() => readFileSync(`/proc/${pid}/status`, "latin1")) ?? "";
  const numbers = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return numbers.length > 1 && numbers.at(-1) === "1";
};

export type ProcessPlaces = {
  readonly workingDirectory: string | null;
  readonly executable: string | null;
  readonly words: readonly string[];
};

/** Nulls where it may not be seen. A folder or program that was removed is told without the kernel's ` (deleted)`. */
export const readPlaces = (pid: number): ProcessPlaces => {
  const withoutNote = (path: string | null): string | null => path?.replace(/ \(deleted\)$/, "") ?? null;
  const command = readOrNull(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "";
  return {
    workingDirectory: withoutNote(readOrNull(() => readlinkSync(`/proc/${pid}/cwd`))),
    executable: withoutNote(readOrNull(() => readlinkSync(`/proc/${pid}/exe`))),
    words: command.split("\0").filter((word) => word !== ""),
  };
};

/**
 * Does it work in this folder? Compared by what the path stands for, since in another mount name space the same path is another folder,
 * and the same folder has another path. Null where that may not be seen.
 */
export const worksIn = (pid: number, folder: string): boolean | null => {
  const read = (path: string) => readOrNull(() => statSync(path, { bigint: true }));
  const [own, asked] = [read(`/proc/${pid}/cwd`), read(folder)];
  return own === null ? null : own.dev === asked?.dev && own.ino === asked.ino;
};

/** Are its process ids those that we see, or is it in a container, whose supervisor sees others? */
export const sharesProcessIds = (pid: number): boolean => {
  const space = (of: string) => readOrNull(() => readlinkSync(`/proc/${of}/ns/pid`));
  return space(String(pid)) === space("self");
};

/** The function of the kernel in which its first thread sleeps, `poll_schedule_timeout`; null while it runs, and where that may not be seen. */
export const sleepsIn = (pid: number): string | null => {
  const name = readOrNull(() => readFileSync(`/proc/${pid}/wchan`, "latin1"));
  return name === null || name === "0" || name === "" ? null : name;
};

/** Linux counts start times for programs in hundredths of a second, whatever its own clock does. */
const msPerTick = 10;

/** How long ago it was started. 0 where that may not be seen. */
export const ageMsOf = ({ startTicks }: ProcessIdentity): number => {
  const uptime = readOrNull(() => readFileSync("/proc/uptime", "latin1")) ?? "";
  return Math.max(0, Number.parseFloat(uptime) * 1000 - startTicks * msPerTick) || 0;
};

/** Its command line for people, without what looks like a secret, cut to a readable length. */
export const describeProcess = (pid: number): string => {
  const line = maskWords(readPlaces(pid).words).join(" ");
  return `${pid}${line === "" ? "" : ` (${line.length > 60 ? `${line.slice(0, 57)}...` : line})`}`;
};

/** Children of children too. */
export const descendantsOf = (pid: number, table: readonly ProcessRow[]): readonly ProcessRow[] => {
  const children = table.filter(({ parent }) => parent === pid);
  return children.flatMap((child) => [child, ...descendantsOf(child.pid, table)]);
};

/** The processes that it came from, and those that share its session. */
export const relativesOf = ({ pid, session }: ProcessRow, table: readonly ProcessRow[]): readonly number[] => {
  const parents = new Map(table.map((row) => [row.pid, row.parent]));
  const ancestors: number[] = [];
  for (let at = parents.get(pid); at !== undefined && at > 0; at = parents.get(at)) ancestors.push(at);
  const sharing = table.filter((row) => row.session === session && row.pid !== pid).map((row) => row.pid);
  return [...new Set([...ancestors, ...sharing])];
};

/** All running processes that have every one of these variables with these values. Those of other users are seen by root only. */
export const findByEnvironment = (variables: Readonly<Record<string, string>>): readonly ProcessRow[] => {
  const wanted = Object.entries(variables);
  return listProcesses().filter(({ pid }) => {
    const environment = readEnvironment(pid);
    return environment !== null && wanted.every(([name, value]) => environment.get(name) === value);
  });
};

/** The systemd unit that a process belongs to, `shop.service`; null when none does. A unit may start it again after its end. */
export const systemdUnitOf = (pid: number): string | null => {
  const text = readOrNull(() => readFileSync(`/proc/${pid}/cgroup`, "utf8"));
  const unit = text === null ? null : /\/([^/\n]+\.service)(\/|$)/m.exec(text)?.[1];
  // A login session and the user's own manager are no supervisors of what was started in them.
  return unit === undefined || unit === null || unit.startsWith("user@") ? null : unit;
};

/** Sends a signal unless the process is not the one that was meant. @returns false when it is gone */
export const signalProcess = (identity: ProcessIdentity, name: NodeJS.Signals): boolean => {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
};
