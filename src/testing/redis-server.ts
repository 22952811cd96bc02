/** A real Redis server for tests: configured by a file, on a free loopback port, in a temporary folder, with its data in a folder of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { listProcesses, readPlaces, signalProcess } from "../platform/process-table.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "../platform/subprocess.ts";
import { findFreePort } from "./free-port.ts";

export type RedisServer = {
  readonly port: number;
  /** Holds everything of it. */
  readonly directory: string;
  readonly data: string;
  readonly configFile: string;
  readonly url: string;
  /** Runs one command by the stock client. @returns what it prints, without the last newline */
  readonly cli: (...words: readonly string[]) => Promise<string>;
  /** Many commands, one a line. */
  readonly pipe: (lines: readonly string[]) => Promise<void>;
  /** Ends at once, as a crash does. */
  readonly crash: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Ends every server that works in its directory, and removes that. Idempotent. */
  readonly stop: () => Promise<void>;
};

export type RedisServerOptions = {
  /** Lines of its configuration, added to what every test server has. */
  readonly lines?: readonly string[];
  /** Where its folder is made; a new temporary one when left out. */
  readonly directory?: string;
  /** For the stock client: user and password. */
  readonly login?: { readonly user: string; readonly password: string };
};

const never = new AbortController().signal;

/** @throws RefloatError program.failed with the last lines of the server's log */
export const startRedisServer = async (options: RedisServerOptions = {}): Promise<RedisServer> => {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "refloat-redis-")));
  const data = join(directory, "data");
  await mkdir(data, { recursive: true });
  const port = await findFreePort();
  const configFile = join(directory, "redis.conf");
  const logFile = join(directory, "redis.log");
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `dir ${data}`,
    `logfile ${logFile}`,
    'save ""',
    // A replica waits no five seconds for others.
    "repl-diskless-sync-delay 0",
    ...(options.lines ?? []),
  ];
  await writeFile(configFile, `${lines.join("\n")}\n`);
  let child: ChildProcess | null = null;

  const client = (words: readonly string[], input?: string) =>
    runProgram(
      "redis-cli",
      ["-p", String(port), ...(options.login === undefined ? [] : ["--user", options.login.user]), ...words],
      {
        signal: never,
        ...(options.login === undefined ? {} : { environment: { REDISCLI_AUTH: options.login.password } }),
        ...(input === undefined ? {} : { input }),
      },
    );
  const cli: RedisServer["cli"] = async (...words) => (await client(words)).stdout.replace(/\n$/, "");

  const start = async (): Promise<void> => {
    const started = spawn("redis-server", [configFile], { stdio: "ignore" });
    child = started;
    let failure: unknown;
    started.once("error", (error) => (failure = error));
    for (;;) {
      if (failure !== undefined || started.exitCode !== null) {
        const said = (await readFile(logFile, "utf8").catch(() => "")).trimEnd().split("\n").slice(-8).join("\n");
        throw new RefloatError("program.failed", `the test server did not start: ${said}`, {
          cause: failure,
          nextCommand: "apt-get install redis-server",
        });
      }
      const answer = await cli("PING").catch(() => "");
      if (answer === "PONG") return;
      await delay(10);
    }
  };

  const crash = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, "exit");
    running.kill("SIGKILL");
    await ended;
  };

  const stop = async (): Promise<void> => {
    await crash();
    for (const one of listProcesses())
      if (readPlaces(one.pid).workingDirectory?.startsWith(`${directory}/`) === true) signalProcess(one, "SIGKILL");
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };

  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    directory,
    data,
    configFile,
    url: `redis://127.0.0.1:${port}`,
    cli,
    pipe: async (commands) => void (await client([], `${commands.join("\n")}\n`)),
    crash,
    start,
    stop,
  };
};
