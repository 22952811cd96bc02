/**
 * A program in a process group of its own, so that a time limit or an abort ends whatever it has started: a shell with a declared
 * line, a plugin. What it says and what that means is not known here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex, Readable, Writable } from "node:stream";
import { RefloatError } from "../model/refloat-error.ts";
import { baseEnvironment } from "./base-environment.ts";

export type GroupOptions = {
  readonly signal: AbortSignal;
  readonly marker: string;
  readonly cwd?: string;
  /** Added to the base environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Words before the program that change the user it runs as. */
  readonly prefix?: readonly string[];
  /**
   * It may leave a daemon behind that must live on (a reload that starts a new proxy). Without this, whatever it leaves carries the
   * marker of an attempt and is ended as an orphan when the attempt is made again.
   */
  readonly mayLeaveDaemon?: boolean;
};

export type ProcessGroup = {
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The other end of its descriptor 3. */
  readonly data: Duplex | null;
  /** @returns exit code and signal @throws what kept it from being started */
  readonly exited: Promise<readonly [number | null, NodeJS.Signals | null]>;
  /** All its pipes are closed, by whatever it left behind too. */
  readonly closed: Promise<void>;
  readonly hasTimedOut: () => boolean;
  /** SIGTERM, then SIGKILL after a grace. */
  readonly end: () => void;
  /** Ends it and all that it started, at once. */
  readonly kill: () => void;
  /** Kills what still runs, lets go of timers, listeners and pipes. */
  readonly release: () => void;
};

const graceMs = 2_000;

const signalGroup = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

const startError = (program: string, cwd: string | undefined, cause: unknown): unknown => {
  const { code } = cause as NodeJS.ErrnoException;
  const where = cwd === undefined ? "" : ` in ${cwd}`;
  if (code === "ENOENT") return new RefloatError("program.missing", `${program} cannot be started${where}`, { cause });
  if (code === "EACCES")
    return new RefloatError("program.missing", `${program} cannot be started: permission denied`, { cause });
  return cause;
};

/** An abort and the time limit end it. Whoever calls must `release`. */
export const startGroup = (
  command: readonly [string, ...string[]],
  options: GroupOptions,
  pipes: { readonly stdin: boolean; readonly data: boolean },
): ProcessGroup => {
  const words = [...(options.prefix ?? []), ...command];
  const [program, ...args] = [words[0] ?? command[0], ...words.slice(1)];
  const child: ChildProcess = spawn(program, args, {
    detached: true,
    stdio: [pipes.stdin ? "pipe" : "ignore", "pipe", "pipe", ...(pipes.data ? (["pipe"] as const) : [])],
    env: {
      ...baseEnvironment(),
      ...options.environment,
      REFLOAT_STEP: options.marker,
      ...(options.mayLeaveDaemon === true ? { REFLOAT_INSTANCE: `left-by/${options.marker}` } : {}),
    },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const { pid } = child;
  const [stdin, stdout, stderr, data] = child.stdio as unknown as readonly [
    Writable | null,
    Readable,
    Readable,
    Duplex?,
  ];
  let wasTold = false;
  const kill = (): void => {
    if (pid !== undefined) signalGroup(pid, "SIGKILL");
  };
  const exited = (async () => {
    try {
      const end = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
      // Somebody, or the kernel for want of memory, has ended it half way: what it had begun does not go on beside the next attempt.
      if (end[1] !== null && !wasTold) kill();
      return end;
    } catch (error) {
      throw startError(program, options.cwd, error);
    }
  })();
  exited.catch(() => undefined);
  const closed = once(child, "close").then(
    () => undefined,
    () => undefined,
  );

  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (pid === undefined) return;
    wasTold = true;
    signalGroup(pid, "SIGTERM");
    killer ??= setTimeout(kill, graceMs);
  };
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          end();
        }, options.timeoutMs);
  options.signal.addEventListener("abort", end, { once: true });
  return {
    stdin,
    stdout,
    stderr,
    data: data ?? null,
    exited,
    closed,
    hasTimedOut: () => timedOut,
    end,
    kill,
    release: () => {
      clearTimeout(timer);
      clearTimeout(killer);
      options.signal.removeEventListener("abort", end);
      // It may have obeyed SIGTERM while something that it started did not.
      if (wasTold || (child.exitCode === null && child.signalCode === null)) kill();
      for (const pipe of [stdin, stdout, stderr, data]) pipe?.destroy();
    },
  };
};
