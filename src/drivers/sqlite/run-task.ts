/** Asks the process that opens databases; see program/serve-task.ts. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { DriverContext } from "../../core/ports/driver.ts";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError, type RefloatErrorOptions } from "../../model/refloat-error.ts";
import type { ErrorCode } from "../../model/error-catalogue.ts";
import { programEntry } from "../../platform/program-files.ts";
import { childEnvironment } from "../../platform/subprocess.ts";
import type { SqliteTasks } from "./program/serve-task.ts";

type Kind = keyof SqliteTasks;
type Request<K extends Kind> = Parameters<SqliteTasks[K]>[0];
type Result<K extends Kind> = Awaited<ReturnType<SqliteTasks[K]>>;

export type TaskContext = Pick<DriverContext, "marker" | "signal"> & {
  /** Found by who cleans up after a killed capture. */
  readonly environment?: Readonly<Record<string, string>>;
};

type ToldError = Omit<RefloatErrorOptions, "cause"> & { code: ErrorCode; message: string; stack?: string };
type Answer = { readonly ready?: true; readonly result?: unknown; readonly error?: ToldError };

const asError = ({ code, message, stack, ...more }: ToldError): RefloatError =>
  new RefloatError(code, message, { ...more, ...(stack === undefined ? {} : { cause: new Error(stack) }) });

export type RunningTask<K extends Kind> = {
  readonly pid: number;
  /** Must be read to its end where the task writes any. */
  readonly bytes: ByteStream;
  /** Resolves when the task says that it is ready, e.g. that the locks are held. @throws the task's error */
  readonly ready: Promise<void>;
  /** @throws RefloatError of the task; the signal's reason when aborted */
  readonly result: Promise<Result<K>>;
  /** Lets go of what the task holds. */
  readonly release: () => void;
};

export const startTask = <K extends Kind>(
  { marker, signal, environment = {} }: TaskContext,
  kind: K,
  request: Request<K>,
): RunningTask<K> => {
  signal.throwIfAborted();
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(programEntry("sqlite-program"))], {
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: childEnvironment({ marker, environment }),
  });
  const [stdin, stdout, stderr, answers] = child.stdio as unknown as readonly [Writable, Readable, Readable, Readable];
  let said = "";
  stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4_096)));
  // A process that has ended already does not take its task.
  stdin.on("error", () => undefined);
  stdin.write(`${JSON.stringify({ kind, request })}\n`);
  const kill = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  const closed = once(child, "close").finally(() => signal.removeEventListener("abort", kill));

  const readies: (() => void)[] = [];
  let isReady = false;
  let answer: Answer | undefined;
  const lines = createInterface({ input: answers, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", (line) => {
    const told = JSON.parse(line) as Answer;
    if (told.ready === undefined) answer = told;
    else {
      isReady = true;
      for (const wake of readies) wake();
    }
  });
  const read = once(lines, "close");

  const result = (async (): Promise<Result<K>> => {
    const [code, endedBy] = (await closed) as [number | null, string | null];
    await read;
    signal.throwIfAborted();
    if (answer?.error !== undefined) throw asError(answer.error);
    if (code === 0 && answer !== undefined) return answer.result as Result<K>;
    throw new RefloatError(
      "program.failed",
      `the process that reads databases ended with ${endedBy ?? code ?? "nothing"}${said === "" ? "" : `: ${said.trim()}`}`,
    );
  })();
  result.catch(() => undefined);
  const ready = Promise.race([
    result.then(() => undefined),
    new Promise<void>((resolve) => {
      if (isReady) resolve();
      else readies.push(resolve);
    }),
  ]);
  ready.catch(() => undefined);
  return { pid: child.pid ?? 0, bytes: stdout, ready, result, release: () => stdin.end() };
};

/** A task that writes no bytes, to its end. */
export const runTask = <K extends Kind>(context: TaskContext, kind: K, request: Request<K>): Promise<Result<K>> => {
  const task = startTask(context, kind, request);
  (task.bytes as Readable).resume();
  task.release();
  return task.result;
};

/** The bytes that a task writes. Ends without an error only if the task did. @param judge is asked of the result at the end */
export async function* streamTask<K extends Kind>(
  context: TaskContext,
  kind: K,
  request: Request<K>,
  judge: (result: Result<K>) => void = () => undefined,
): ByteStream {
  const stopped = new AbortController();
  const signal = AbortSignal.any([context.signal, stopped.signal]);
  const task = startTask({ ...context, signal }, kind, request);
  task.release();
  try {
    yield* task.bytes;
    judge(await task.result);
  } finally {
    stopped.abort();
  }
}
