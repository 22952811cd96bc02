/**
 * A throw-away MariaDB server for tests, examples and benchmarks: a free port on 127.0.0.1, a socket of its own, everything in one temporary
 * folder. Not for data that anyone wants to keep: nothing is synced to disk.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "../platform/subprocess.ts";
import { findFreePort } from "./free-port.ts";

export type MariadbServer = {
  readonly port: number;
  readonly directory: string;
  /** `mariadb://root@127.0.0.1:PORT/DATABASE`, without a password. */
  readonly url: (database: string, user?: string) => string;
  /** Runs a script by the stock client as root; its output is tab separated, without names of columns. */
  readonly sql: (script: string, database?: string) => Promise<string>;
  /** Ends at once, as a crash does; `start` recovers it on the same port. */
  readonly crash: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Stops the server and removes its folder. Idempotent. */
  readonly stop: () => Promise<void>;
};

export type MariadbServerOptions = {
  /** Lines of the server's configuration: `{ "log-bin": "binlog" }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
};

const never = new AbortController().signal;

/** @param temporary a folder of its own: a server that starts removes temporary tables of others from a shared one */
const installSystemTables = (data: string, temporary: string): Promise<unknown> =>
  runProgram(
    "mariadb-install-db",
    [
      "--no-defaults",
      ...(process.getuid?.() === 0 ? ["--user=root"] : []),
      `--datadir=${data}`,
      `--tmpdir=${temporary}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
      "--innodb-log-file-size=8M",
    ],
    { signal: never },
  );

/** @throws RefloatError program.missing, program.failed with the last lines of the server's log */
export const startMariadbServer = async (options: MariadbServerOptions = {}): Promise<MariadbServer> => {
  const directory = await mkdtemp(join(tmpdir(), "refloat-mariadb-"));
  const data = join(directory, "data");
  const temporary = join(directory, "tmp");
  await mkdir(data);
  await mkdir(temporary);
  const port = await findFreePort();
  const socket = join(directory, "s");
  const logFile = join(directory, "server.log");
  let child: ChildProcess | null = null;

  const sql: MariadbServer["sql"] = async (script, database) =>
    (
      await runProgram(
        "mariadb",
        [
          "--no-defaults",
          "--user=root",
          `--socket=${socket}`,
          "--batch",
          "--skip-column-names",
          "--default-character-set=utf8mb4",
          "--comments",
          ...(database === undefined ? [] : [`--database=${database}`]),
        ],
        { signal: never, input: `${script}\n` },
      )
    ).stdout;

  const start = async (): Promise<void> => {
    const settings = {
      "log-error": logFile,
      datadir: data,
      tmpdir: temporary,
      socket,
      port,
      "bind-address": "127.0.0.1",
      "innodb-buffer-pool-size": "32M",
      "innodb-log-file-size": "8M",
      "innodb-flush-log-at-trx-commit": 0,
      "server-id": 1,
      ...options.settings,
    };
    const started = spawn(
      "mariadbd",
      [
        "--no-defaults",
        ...(process.getuid?.() === 0 ? ["--user=root"] : []),
        ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
      ],
      { stdio: "ignore" },
    );
    child = started;
    let failure: unknown;
    started.once("error", (error) => (failure = error));
    for (;;) {
      if (failure !== undefined || started.exitCode !== null) {
        const said = (await readFile(logFile, "utf8").catch(() => "")).trimEnd().split("\n").slice(-8).join("\n");
        throw new RefloatError("program.failed", `the test server did not start: ${said}`, {
          cause: failure,
          nextCommand: "apt-get install mariadb-server",
        });
      }
      const answers = await sql("SELECT 1;").then(
        () => true,
        () => false,
      );
      if (answers) return;
      await delay(50);
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
    await rm(directory, { recursive: true, force: true });
  };

  try {
    await installSystemTables(data, temporary);
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    directory,
    url: (database, user = "root") =>
      `mariadb://${encodeURIComponent(user)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    sql,
    crash,
    start,
    stop,
  };
};
