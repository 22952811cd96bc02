/**
 * A throw-away PgBouncer for tests, on a free loopback port: its files in a temporary folder, everybody let in. As root it runs as the user
 * `postgres`, since PgBouncer refuses root. Not a model of how to run one for real.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../model/refloat-error.ts";
import { findFreePort } from "./free-port.ts";
import { query } from "./query.ts";

export type PgbouncerServer = {
  /** `postgres://USER@127.0.0.1:PORT/DATABASE`. `admin` may change it, `viewer` may look. */
  readonly url: (database: string, user?: string) => string;
  readonly configPath: string;
  /** File that is included, with [databases]. */
  readonly databasesFile: string;
  /** Rows of the console, by a word of it. */
  readonly ask: (words: string) => Promise<Record<string, string>[]>;
  /** Ends the process and removes the folder. Idempotent. */
  readonly stop: () => Promise<void>;
};

const startTimeoutMs = 60_000;

/**
 * @param databases lines of [databases]
 * @param owner a folder that belongs to the user to run as, such as that of a test server of PostgreSQL
 */
export const startPgbouncer = async (
  databases: readonly string[],
  owner: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<PgbouncerServer> => {
  const directory = await mkdtemp(join(tmpdir(), "pgbouncer-"));
  const port = await findFreePort();
  const [databasesFile, configPath] = [join(directory, "databases.ini"), join(directory, "pgbouncer.ini")];
  const all = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    admin_users: "admin",
    stats_users: "viewer",
    pool_mode: "transaction",
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  await writeFile(configPath, ["[pgbouncer]", ...lines, `%include ${databasesFile}`, ""].join("\n"));
  await writeFile(databasesFile, ["[databases]", ...databases, ""].join("\n"), { mode: 0o640 });
  const { uid, gid } = await stat(owner);
  await chmod(directory, 0o755);
  if (process.getuid?.() === 0) for (const path of [directory, databasesFile]) await chown(path, uid, gid);
  const child = spawn("/usr/sbin/pgbouncer", [configPath], {
    stdio: ["ignore", "ignore", "pipe"],
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4_096)));
  let failure: Error | null = null;
  child.once("error", (error) => (failure = error));
  const exited = once(child, "exit").catch(() => undefined);
  const url: PgbouncerServer["url"] = (database, user = "admin") => `postgres://${user}@127.0.0.1:${port}/${database}`;
  const ask: PgbouncerServer["ask"] = (words) => query<Record<string, string>>(url("pgbouncer"), words);
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  const deadline = performance.now() + startTimeoutMs;
  while (
    !(await ask("SHOW VERSION").then(
      () => true,
      () => false,
    ))
  ) {
    if (failure !== null || child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new RefloatError("program.failed", `pgbouncer does not run: ${said.trimEnd()}`, {
        cause: failure,
        nextCommand: "apt-get install pgbouncer",
      });
    }
    await delay(20);
  }
  return { url, configPath, databasesFile, ask, stop };
};
