/**
 * Runs a command line that a person declared, by /bin/sh, in a process group of its own, so that a time limit or an abort ends
 * whatever the line has started. Keeps only the end of what it says.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type GroupOptions, type ProcessGroup, startGroup } from "./process-group.ts";
import { killedHint } from "./subprocess.ts";

export type ShellLineOptions = GroupOptions & {
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

/** What to do about such an end, for an error. */
export const hintOfEnd = ({
  timedOut,
  endedBy,
}: Pick<ShellLineResult, "endedBy" | "timedOut">): { readonly hint?: string } =>
  timedOut || endedBy === null ? {} : { hint: killedHint };

/** Starts a line. Whoever calls must `release`. @param stdin whether data is given to it */
export const startShell = (line: string, options: GroupOptions, stdin: "nothing" | "data"): ProcessGroup => {
  const isFed = stdin === "data";
  // Node closes its end of descriptor 0 when a child ends, whether or not all of it was read; of any other it is left to us.
  const command = ["/bin/sh", "-c", isFed ? `exec <&3 3<&-; ${line}` : line] as const;
  return startGroup([...command], options, { stdin: false, data: isFed });
};

/** Adds to what is kept of an output: its end. */
export const keepEnd = (kept: string, text: string): string => (kept + text).slice(-keptCharacters);

/** @throws RefloatError program.missing when there is no shell or no such folder; the signal's reason when aborted */
export const runShellLine = async (line: string, options: ShellLineOptions): Promise<ShellLineResult> => {
  options.signal.throwIfAborted();
  const { stdout: out, stderr, exited, closed, hasTimedOut, kill, release } = startShell(line, options, "nothing");
  let stdout = "";
  let output = "";
  out.setEncoding("utf8").on("data", (text: string) => {
    stdout = keepEnd(stdout, text);
    output = keepEnd(output, text);
  });
  stderr.setEncoding("utf8").on("data", (text: string) => (output = keepEnd(output, text)));
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
