/**
 * Starts a release so that it outlives Refloat: in a session of its own, its output in a log file, marked in its environment. Once
 * under one name: a repeat after a crash finds what runs already.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { RunningProcess } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { scopeWords } from "../../platform/own-scope.ts";
import { findPortOwners, isPortOpen } from "../../platform/port-owner.ts";
import {
  type ProcessIdentity,
  describeProcess,
  isAlive,
  isRunning,
  readProcess,
} from "../../platform/process-table.ts";
import { runAsUser } from "../../platform/run-as.ts";
import { lastLines, redact } from "../../platform/shell-line.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import { findInstanceProcesses, findProcess, leaderOf, portHolder } from "./find-process.ts";
import { type ProcessContext, portsOf, startTimeoutMs } from "./process-options.ts";
import { instanceVariables, logPathOf, readLogTail, removeRecord, writeRecord } from "./process-records.ts";
import { stopProcess } from "./stop-process.ts";

export type StartRequest = { readonly name: string; readonly release: string; readonly port: number | null };

const lookAgainMs = 20;
const linesShown = 8;

export type Started = {
  readonly request: StartRequest & { readonly port: number };
  /** The process that was spawned, or the one that was found running. */
  readonly leader: ProcessIdentity | null;
  readonly secrets: readonly string[];
  /** Where in the log this start begins. */
  readonly logOffset: number;
};

const refuseTakenPort = (context: ProcessContext, port: number): void => {
  const owners = findPortOwners(port);
  if (!owners.open) return;
  const who = owners.pids.map(describeProcess);
  throw new RefloatError(
    "program.failed",
    `${context.component} cannot be started on port ${port}: ${who.length === 0 ? "a process of another user" : `process ${who.join(" and ")}`} listens there`,
  );
};

const spawnDetached = async (context: ProcessContext, request: Started["request"]): Promise<Started> => {
  const { options, signal } = context;
  const line = await bindCommand(context.bind, options.start, `start of ${context.component}`);
  const { variables, secrets } = await bindEnvironment(context.bind, options.environment);
  const user = options.user === undefined ? null : await runAsUser(options.user, signal);
  refuseTakenPort(context, request.port);
  return spawnKept(context, request, {
    words: [...(user?.prefix ?? []), "/bin/sh", "-c", line],
    environment: { ...user?.environment, ...variables },
    secrets,
  });
};

/** Spawns what outlives us: marked before it runs, recorded once it does. */
export const spawnKept = async (
  context: ProcessContext,
  request: Started["request"],
  {
    words: command,
    environment,
    secrets,
  }: {
    readonly words: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
    readonly secrets: readonly string[];
  },
): Promise<Started> => {
  const { signal } = context;
  const scope = scopeWords(`${context.service} ${context.component} (${request.name}), started by Refloat`);
  const [program = "/bin/sh", ...words] = [...scope, ...command];
  const logPath = logPathOf(context, request.name);
  await mkdir(dirname(logPath), { recursive: true, mode: 0o700 });
  const log = await open(logPath, "a", 0o600);
  try {
    const { size: logOffset } = await log.stat();
    signal.throwIfAborted();
    const child = spawn(program, words, {
      cwd: request.release,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: {
        ...baseEnvironment(),
        ...environment,
        ...instanceVariables(context, request.name),
        REFLOAT_STEP: context.marker,
      },
    });
    try {
      await once(child, "spawn");
    } catch (error) {
      throw new RefloatError(
        "program.failed",
        `${context.component} cannot be started in ${request.release}: ${describeSystemError(error)}`,
        {
          cause: error,
        },
      );
    }
    // It is not waited for by its parent: it must not keep this process alive, nor end with it.
    child.unref();
    return { request, leader: await recordLeader(context, request, child.pid), secrets, logOffset };
  } finally {
    await log.close();
  }
};

/** @returns null when it has ended already */
const recordLeader = async (
  context: ProcessContext,
  request: Started["request"],
  pid: number | undefined,
): Promise<ProcessIdentity | null> => {
  const row = pid === undefined ? null : readProcess(pid);
  if (!isRunning(row)) return null;
  await record(context, request, row);
  return row;
};

const record = (
  context: ProcessContext,
  { name, port, release }: Started["request"],
  { pid, startTicks }: ProcessIdentity,
): Promise<void> => writeRecord(context, { name, process: { pid, startTicks }, port, release });

/** @returns what went wrong, with its last words */
export const startFailure = async (
  context: ProcessContext,
  { request: { name }, logOffset, secrets }: Started,
  what: string,
): Promise<RefloatError> => {
  const said = lastLines(redact(await readLogTail(context, name, logOffset), secrets), linesShown);
  return new RefloatError("program.failed", `${context.component} ${what}${said === "" ? "" : `: ${said}`}`, {
    hint: `its output is in ${logPathOf(context, name)}`,
  });
};

/** @throws RefloatError program.failed with its last words when it ends before it listens, or does not listen in time */
const waitForPort = async (context: ProcessContext, started: Started): Promise<RunningProcess> => {
  const { request } = started;
  const { name, port, release } = request;
  const timeoutMs = startTimeoutMs(context.options);
  const deadline = context.clock.monotonicMs() + timeoutMs;
  const failure = (what: string): Promise<RefloatError> => startFailure(context, started, what);
  for (;;) {
    const isOpen = isPortOpen(port);
    // The whole table of processes is read only when there is something to learn from it.
    if (isOpen || started.leader === null || !isAlive(started.leader)) {
      const rows = await findInstanceProcesses(context, name);
      const holder = isOpen ? portHolder(rows, port) : null;
      if (holder !== null) {
        await record(context, request, holder);
        return { pid: holder.pid, startTicks: holder.startTicks, port, release };
      }
      if (rows.length === 0) throw await failure(`ended before it listened on port ${port}`);
    }
    if (context.clock.monotonicMs() > deadline)
      throw await failure(`did not listen on port ${port} within ${timeoutMs / 1_000} s`);
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

const identityOf = ({ pid, startTicks }: RunningProcess): ProcessIdentity | null =>
  pid === null || startTicks === null ? null : { pid, startTicks };

/** Nothing of a start that failed stays behind. */
export const endFailedStart = async (context: ProcessContext, request: Started["request"]): Promise<void> => {
  // The signal may be what ended the start; the clean-up must still run to its end.
  const cleanUp: ProcessContext = { ...context, signal: new AbortController().signal };
  const leader = leaderOf(await findInstanceProcesses(cleanUp, request.name));
  if (leader !== null) {
    const { pid, startTicks } = leader;
    await stopProcess(cleanUp, { pid, startTicks, port: null, release: request.release });
  }
  await removeRecord(cleanUp, request.name);
};

/** Contract of RuntimeOperations.start. */
export const startProcess = async (context: ProcessContext, asked: StartRequest): Promise<RunningProcess> => {
  const port = asked.port ?? portsOf(context.options)[0];
  if (port === undefined) throw new RefloatError("config.invalid", `${context.component} declares no port to start on`);
  const request = { ...asked, port };
  const running = await findProcess(context, request.name);
  try {
    const started =
      running === null
        ? await spawnDetached(context, request)
        : {
            request: { ...request, port: running.port ?? port },
            leader: identityOf(running),
            secrets: [],
            logOffset: 0,
          };
    return await waitForPort(context, started);
  } catch (error) {
    await endFailedStart(context, request);
    throw error;
  }
};
