/**
 * Runs a command line that a person declared, by /bin/sh, in a process group of its own, so that a time limit or an abort ends
 * whatever the line has started. Keeps only the end of what it says.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../model/refloat-error.ts";
import { baseEnvironment } from "./base-environment.ts";

export type ShellLineOptions = {
  readonly signal: AbortSignal;
  readonly marker: string;
  readonly cwd?: string;
  /** Added to the base environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Words before `/bin/sh` that change the user it runs as. */
  readonly prefix?: readonly string[];
  /**
   * The line may leave a daemon behind that must live on (a reload that starts a new proxy). Without this, whatever it leaves
   * carries the marker of an attempt and is ended as an orphan when the attempt is made again.
   */
  readonly mayLeaveDaemon?: boolean;
  /** Values that must not be seen in its output. */
  readonly secrets?: readonly string[];
};

export type ShellLineResult = {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly endedBy: string | null;
  readonly timedOut: boolean;
  /** The last 64 KiB of standard output, and of both streams as they came; secrets replaced. */
  readonly stdout: string;
  readonly output: string;
};

const keptCharacters = 65_536;
const graceMs = 2_000;
/** A line may leave a child in the background that holds the pipe open; its end is not waited for. */
export const drainMs = 500;

export const redact = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((redacted, secret) => (secret === "" ? redacted : redacted.replaceAll(secret, "[secret]")), text);

export const lastLine = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .findLast((line) => line !== "") ?? "";

export const lastLines = (text: string, count: number): string => text.trimEnd().split("\n").slice(-count).join("\n");

/** `exit status 3`, `ended by SIGKILL`, `took too long`; null when it ended well. */
export const describeEnd = (result: Pick<ShellLineResult, "exitCode" | "endedBy" | "timedOut">): string | null => {
  if (result.timedOut) return "took too long";
  if (result.endedBy !== null) return `ended by ${result.endedBy}`;
  return result.exitCode === 0 ? null : `exit status ${result.exitCode ?? "unknown"}`;
};

const signalGroup = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

export type StartedShell = {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** The other end of its standard input, where data is given to it. */
  readonly input: Duplex | null;
  /** @returns exit code and signal @throws what kept it from being started */
  readonly exited: Promise<readonly [number | null, NodeJS.Signals | null]>;
  readonly hasTimedOut: () => boolean;
  /** Ends it and all that it started, at once. */
  readonly kill: () => void;
  /** Lets go of timers and listeners. */
  readonly release: () => void;
};

/** Starts a line; an abort and the time limit end it and all that it started. Whoever calls must `release`. */
export const startShell = (line: string, options: ShellLineOptions, stdin: "nothing" | "data"): StartedShell => {
  // Node closes its end of descriptor 0 when a child ends, whether or not all of it was read; of any other it is left to us.
  const fed = stdin === "data" ? `exec <&3 3<&-; ${line}` : line;
  const words = [...(options.prefix ?? []), "/bin/sh", "-c", fed];
  const [program, ...args] = [words[0] ?? "/bin/sh", ...words.slice(1)];
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe", ...(stdin === "data" ? (["pipe"] as const) : [])],
    env: {
      ...baseEnvironment(),
      ...options.environment,
      REFLOAT_STEP: options.marker,
      ...(options.mayLeaveDaemon === true ? { REFLOAT_INSTANCE: `left-by/${options.marker}` } : {}),
    },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }) as ChildProcessByStdio<null, Readable, Readable>;
  const { pid } = child;
  const exited = (async () => {
    try {
      return (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      const where = options.cwd === undefined ? "" : ` in ${options.cwd}`;
      throw new RefloatError("program.missing", `${program} cannot be started${where}`, { cause: error });
    }
  })();
  exited.catch(() => undefined);

  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    if (pid !== undefined) signalGroup(pid, "SIGKILL");
  };
  const end = (): void => {
    if (pid === undefined) return;
    signalGroup(pid, "SIGTERM");
    killer = setTimeout(kill, graceMs);
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
    child,
    input: (child.stdio[3] ?? null) as Duplex | null,
    exited,
    hasTimedOut: () => timedOut,
    kill,
    release: () => {
      clearTimeout(timer);
      clearTimeout(killer);
      options.signal.removeEventListener("abort", end);
      child.stdout.destroy();
      child.stderr.destroy();
    },
  };
};

/** Adds to what is kept of an output: its end. */
export const keepEnd = (kept: string, text: string): string => (kept + text).slice(-keptCharacters);

/** @throws RefloatError program.missing when there is no shell or no such folder; the signal's reason when aborted */
export const runShellLine = async (line: string, options: ShellLineOptions): Promise<ShellLineResult> => {
  options.signal.throwIfAborted();
  const { child, exited, hasTimedOut, kill, release } = startShell(line, options, "nothing");
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout = keepEnd(stdout, text);
    output = keepEnd(output, text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output = keepEnd(output, text)));
  const closed = once(child, "close").catch(() => undefined);
  try {
    const [exitCode, endedBy] = await exited;
    await Promise.race([closed, delay(drainMs, undefined, { ref: false })]);
    const timedOut = hasTimedOut();
    if (timedOut || options.signal.aborted) kill();
    options.signal.throwIfAborted();
    const secrets = options.secrets ?? [];
    return { exitCode, endedBy, timedOut, stdout: redact(stdout, secrets), output: redact(output, secrets) };
  } catch (error) {
    options.signal.throwIfAborted();
    throw error;
  } finally {
    release();
  }
};
