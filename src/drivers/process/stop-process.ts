/**
 * Stops a process with all that belongs to it, and proves it: processes gone, port closed. Each signal goes to a process whose
 * start time was compared first, so that a pid that was given again hits nobody else.
 */
import type { RunningProcess } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { findPortOwners } from "../../platform/port-owner.ts";
import {
  type ProcessIdentity,
  type ProcessRow,
  describeProcess,
  descendantsOf,
  isAlive,
  listProcesses,
  readEnvironment,
  signalProcess,
  systemdUnitOf,
} from "../../platform/process-table.ts";
import { runAsUser } from "../../platform/run-as.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { describeEnd, lastLines, runShellLine } from "../../platform/shell-line.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import { findInstanceProcesses } from "./find-process.ts";
import { type ProcessContext, stopTimeoutMs } from "./process-options.ts";
import { listRecords, instancePrefix, removeRecord } from "./process-records.ts";

const lookAgainMs = 20;
const roundsBetweenLooks = 10;
/** What outlives the main process has had most of its time already. */
const childrenTimeoutMs = 1_000;
/** After SIGKILL a process is gone at once, unless the kernel itself waits for a disk. */
const killTimeoutMs = 10_000;
/** A supervisor starts its child again after a moment; it is looked at only where there is one. */
const supervisorMs = 1_500;

type Target = {
  readonly main: ProcessIdentity | null;
  /** The name it was started under by us; null for one that somebody else started. */
  readonly name: string | null;
  readonly port: number | null;
};

const nameFromEnvironment = (context: ProcessContext, pid: number): string | null => {
  const environment = readEnvironment(pid);
  const instance = environment?.get("REFLOAT_INSTANCE");
  const isOurs =
    instance?.startsWith(instancePrefix(context)) === true &&
    environment?.get("REFLOAT_STATE") === context.stateDirectory;
  return isOurs ? instance.slice(instancePrefix(context).length) : null;
};

const describeTarget = async (context: ProcessContext, process: RunningProcess): Promise<Target> => {
  const { pid, startTicks, port } = process;
  const main = pid === null || startTicks === null ? null : { pid, startTicks };
  // A process that is just ending has no environment any more, and one that is gone may have left its children: then its record
  // tells under which name they are found.
  const record = (await listRecords(context)).find(
    (candidate) => candidate.process.pid === pid && candidate.process.startTicks === startTicks,
  );
  const isMainAlive = main !== null && isAlive(main);
  const name = (isMainAlive ? nameFromEnvironment(context, main.pid) : null) ?? record?.name ?? null;
  return { main: isMainAlive ? main : null, port, name };
};

type Members = Map<string, ProcessRow>;
const keyOf = ({ pid, startTicks }: ProcessIdentity): string => `${pid}.${startTicks}`;

/** Adds everything that must be gone: the process, its group and session, all that carries its marker, and the children of those. */
const gatherMembers = async (context: ProcessContext, target: Target, members: Members): Promise<void> => {
  const table = listProcesses();
  const main = table.find((row) => target.main !== null && keyOf(row) === keyOf(target.main));
  // Only while the main process lives does its number name its own group: later it may be another's.
  const group = main === undefined ? [] : table.filter((row) => row.group === main.pid || row.session === main.pid);
  const marked = target.name === null ? [] : await findInstanceProcesses(context, target.name);
  const roots = [...(main === undefined ? [] : [main]), ...group, ...marked, ...members.values()];
  for (const root of roots) for (const row of [root, ...descendantsOf(root.pid, table)]) members.set(keyOf(row), row);
};

const stillAlive = (members: Members): readonly ProcessRow[] => [...members.values()].filter(isAlive);

/** Refloat must not end itself nor what it runs in, should the application have started it. */
const refuseOwnAncestors = (members: Members): void => {
  const table = new Map(listProcesses().map((row) => [row.pid, row]));
  for (let pid = process.pid; pid > 1; pid = table.get(pid)?.parent ?? 0)
    if ([...members.values()].some((member) => member.pid === pid))
      throw new RefloatError(
        "fence.failed",
        `process ${describeProcess(pid)} runs Refloat itself and is not stopped by it`,
      );
};

const runStopCommand = async (context: ProcessContext, running: RunningProcess, line: string): Promise<void> => {
  const { variables, secrets } = await bindEnvironment(context.bind, context.options.environment);
  const user = context.options.user === undefined ? null : await runAsUser(context.options.user, context.signal);
  const result = await runShellLine(await bindCommand(context.bind, line, `stop of ${context.component}`), {
    signal: context.signal,
    marker: context.marker,
    cwd: running.release,
    environment: {
      ...user?.environment,
      ...variables,
      REFLOAT_PID: String(running.pid),
      REFLOAT_PORT: String(running.port),
    },
    timeoutMs: stopTimeoutMs(context.options),
    mayLeaveDaemon: true,
    secrets,
    ...(user === null ? {} : { prefix: user.prefix }),
  });
  const end = describeEnd(result);
  if (end !== null)
    context.log.warn(`the stop command of ${context.component} failed (${end}); its processes are signalled instead`, {
      said: lastLines(result.output, 3),
    });
};

/** Waits until `isOver`, looking for new children now and then. @returns those that are still there */
const waitForEnd = async (
  context: ProcessContext,
  target: Target,
  members: Members,
  timeoutMs: number,
  isOver: (left: readonly ProcessRow[]) => boolean = () => false,
): Promise<readonly ProcessRow[]> => {
  const deadline = context.clock.monotonicMs() + timeoutMs;
  for (let round = 0; ; round++) {
    let left = stillAlive(members);
    if (left.length === 0 || round % roundsBetweenLooks === 0) {
      await gatherMembers(context, target, members);
      left = stillAlive(members);
    }
    if (left.length === 0 || isOver(left) || context.clock.monotonicMs() > deadline) return left;
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

const signalAll = (context: ProcessContext, rows: readonly ProcessRow[], name: NodeJS.Signals): void => {
  for (const row of rows) {
    try {
      signalProcess(row, name);
    } catch (error) {
      throw new RefloatError(
        "fence.failed",
        `process ${describeProcess(row.pid)} of ${context.component} may not be stopped: ${describeSystemError(error)}`,
        { cause: error, hint: "run Refloat as root or as the user that the application runs as" },
      );
    }
  }
};

const supervisorHint = (unit: string | null): string =>
  unit === null
    ? "something starts it again: declare stop: with the command that stops it for good"
    : `systemd runs it as ${unit}: declare stop: systemctl stop ${unit}`;

const isListenedOn = (context: ProcessContext, port: number, who: string, unit: string | null): RefloatError =>
  new RefloatError("fence.failed", `${context.component} was stopped, but port ${port} is listened on by ${who}`, {
    hint: supervisorHint(unit),
  });

/**
 * Nobody listens any more. A process whose last thread is still on its way out holds its socket a moment longer, with no owner to
 * be seen. Where a supervisor may start the application again, that is waited for.
 */
const provePortClosed = async (
  context: ProcessContext,
  port: number,
  members: Members,
  unit: string | null,
): Promise<void> => {
  const began = context.clock.monotonicMs();
  const stopped = new Set([...members.values()].map(({ pid }) => pid));
  for (;;) {
    const { open, pids } = findPortOwners(port);
    const waitedMs = context.clock.monotonicMs() - began;
    const others = pids.filter((pid) => !stopped.has(pid));
    if (others.length > 0)
      throw isListenedOn(context, port, `process ${others.map(describeProcess).join(" and ")}`, unit);
    if (open && waitedMs > killTimeoutMs) throw isListenedOn(context, port, "a process that cannot be seen", unit);
    if (!open && waitedMs >= (unit === null ? 0 : supervisorMs)) return;
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/** Contract of RuntimeOperations.stop. */
export const stopProcess = async (context: ProcessContext, running: RunningProcess): Promise<void> => {
  const target = await describeTarget(context, running);
  const members: Members = new Map();
  await gatherMembers(context, target, members);
  const { stop } = context.options;
  // A declared command is trusted to stop it for good, and what Refloat started is in nobody's unit but Refloat's own.
  const isSupervised = target.main !== null && target.name === null && stop === undefined;
  const unit = isSupervised && target.main !== null ? systemdUnitOf(target.main.pid) : null;
  if (members.size > 0) {
    refuseOwnAncestors(members);
    // The declared command stops what it was written for; a trial of ours beside the live one must not stop the live one.
    if (stop !== undefined && target.name === null) await runStopCommand(context, running, stop);
    await endAll(context, target, members);
  }
  if (target.port !== null && target.main !== null) await provePortClosed(context, target.port, members, unit);
  if (target.name !== null) await removeRecord(context, target.name);
};

/** SIGTERM to the main process first, which may end its children in its own way; then to those that are left; then SIGKILL. */
const endAll = async (context: ProcessContext, target: Target, members: Members): Promise<void> => {
  const timeoutMs = stopTimeoutMs(context.options);
  const { main } = target;
  if (main !== null) {
    signalAll(
      context,
      [...members.values()].filter((row) => keyOf(row) === keyOf(main)),
      "SIGTERM",
    );
    const isMainGone = (left: readonly ProcessRow[]): boolean => !left.some((row) => keyOf(row) === keyOf(main));
    await waitForEnd(context, target, members, timeoutMs, isMainGone);
  }
  signalAll(context, stillAlive(members), "SIGTERM");
  let left = await waitForEnd(
    context,
    target,
    members,
    main === null ? timeoutMs : Math.min(timeoutMs, childrenTimeoutMs),
  );
  if (left.length === 0) return;
  signalAll(context, left, "SIGKILL");
  left = await waitForEnd(context, target, members, killTimeoutMs);
  if (left.length === 0) return;
  const list = left.map(({ pid }) => describeProcess(pid));
  throw new RefloatError(
    "fence.failed",
    `process ${list.join(" and ")} of ${context.component} does not end, not even by SIGKILL`,
  );
};
