/**
 * Running other programs: never through a shell unless asked, secrets only by environment or standard input, every child marked
 * with `REFLOAT_STEP` so that what a killed run left behind can be found, ended when the signal aborts.
 */
import { type Options, ExecaError, execa } from "execa";
import { RefloatError } from "../model/refloat-error.ts";

export type ProgramOptions = {
  readonly signal: AbortSignal;
  readonly cwd?: string;
  /** Added to (or, with `cleanEnvironment`, instead of) our own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly cleanEnvironment?: boolean;
  readonly input?: string | Uint8Array;
  readonly marker?: string;
  readonly timeoutMs?: number;
  readonly uid?: number;
  readonly gid?: number;
};

/** Environment for a child: ours (or none), the additions, and the marker. */
export const childEnvironment = (options: Pick<ProgramOptions, "environment" | "cleanEnvironment" | "marker">) => ({
  ...(options.cleanEnvironment === true ? {} : process.env),
  ...options.environment,
  ...(options.marker === undefined ? {} : { REFLOAT_STEP: options.marker }),
});

/** Of a program that a signal has ended which was not ours. */
export const killedHint =
  "somebody ended it, or the kernel for want of memory, as dmesg then tells; once that is mended the same can be tried again";

const lastLines = (text: string, count = 5): string => text.trimEnd().split("\n").slice(-count).join("\n");

/** What a failed child means to a person. Shared by all who spawn, streaming or not. */
export const programError = (program: string, error: unknown): RefloatError => {
  if (error instanceof RefloatError) return error;
  if (!(error instanceof ExecaError))
    return new RefloatError("program.failed", `${program} could not be run`, { cause: error });
  if (error.code === "ENOENT") {
    return new RefloatError("program.missing", `the program ${program} is not installed or not on the path`, {
      cause: error,
    });
  }
  const ended = error.timedOut
    ? "took too long"
    : error.signal === undefined
      ? `ended with exit status ${error.exitCode ?? "unknown"}`
      : `was ended by ${error.signal}`;
  const said = lastLines(typeof error.stderr === "string" ? error.stderr : "");
  return new RefloatError("program.failed", said === "" ? `${program} ${ended}` : `${program} ${ended}: ${said}`, {
    cause: error,
    context: { program, exitCode: error.exitCode ?? null },
    ...(error.signal === undefined || error.timedOut ? {} : { hint: killedHint }),
  });
};

/**
 * Runs a program to its end and collects its output (at most 64 MiB).
 * @throws RefloatError program.missing, program.failed; the signal's reason when aborted
 */
export const runProgram = async (
  program: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<{ readonly stdout: string; readonly stderr: string }> => {
  const execaOptions: Options = {
    cancelSignal: options.signal,
    env: childEnvironment(options),
    extendEnv: false,
    maxBuffer: 64 * 1024 * 1024,
    stripFinalNewline: false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  };
  try {
    const result = await execa(program, [...args], execaOptions);
    return { stdout: String(result.stdout ?? ""), stderr: String(result.stderr ?? "") };
  } catch (error) {
    options.signal.throwIfAborted();
    throw programError(program, error);
  }
};
