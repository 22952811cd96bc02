/**
 * A throw-away HAProxy for tests and the demo: its configuration, socket and state file in a temporary folder, one front end on
 * a free loopback port, one back end with the given servers. Not a model of how to run HAProxy for real.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findFreePort } from "./free-port.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type HaproxyOptions = {
  /** Name of the back end; `shop` when left out. */
  readonly backend?: string;
  /** Servers of the back end by name, e.g. `{ app: "127.0.0.1:8081" }`; options may follow the address: `localhost:8081 check`. */
  readonly servers: Readonly<Record<string, string>>;
  /** `http` when left out. */
  readonly mode?: "http" | "tcp";
  /** Port of the front end; a free one when left out. */
  readonly port?: number;
  /** Parent of the folder that is made; the system's temporary folder when left out. */
  readonly directory?: string;
  /** `admin` when left out; a lower level refuses what the driver does. */
  readonly socketLevel?: "admin" | "operator" | "user";
  /** Also opens the admin interface on a free TCP port. */
  readonly tcpSocket?: boolean;
};

export type HaproxyServer = {
  readonly url: string;
  readonly port: number;
  /** Path of the admin socket. */
  readonly socket: string;
  /** `ipv4@127.0.0.1:PORT` when it was asked for. */
  readonly tcpSocket: string | null;
  readonly stateFile: string;
  readonly configPath: string;
  /** Starts a new process over the old one, as `systemctl reload haproxy` does; resolves when the old one is gone. */
  readonly reload: () => Promise<void>;
  /** Sends one command of the runtime API and gives back the whole answer. */
  readonly ask: (command: string) => Promise<string>;
  /** Ends the process and removes the folder. Idempotent. */
  readonly stop: () => Promise<void>;
};

const program = "/usr/sbin/haproxy";
const startTimeoutMs = 60_000;
const stopTimeoutMs = 5_000;

const configuration = (options: HaproxyOptions, at: { port: number; directory: string; tcpPort: number | null }) => {
  const level = options.socketLevel ?? "admin";
  const backend = options.backend ?? "shop";
  const servers = Object.entries(options.servers).map(([name, address]) => `  server ${name} ${address}`);
  return [
    "global",
    `  stats socket ${join(at.directory, "admin.sock")} mode 600 level ${level}`,
    ...(at.tcpPort === null ? [] : [`  stats socket ipv4@127.0.0.1:${at.tcpPort} level ${level}`]),
    `  server-state-file ${join(at.directory, "servers.state")}`,
    "  hard-stop-after 2s",
    "  maxconn 500",
    "defaults",
    `  mode ${options.mode ?? "http"}`,
    "  timeout connect 2s",
    "  timeout client 30s",
    "  timeout server 30s",
    "  timeout queue 5s",
    "  load-server-state-from-file global",
    "frontend public",
    `  bind 127.0.0.1:${at.port}`,
    `  default_backend ${backend}`,
    `backend ${backend}`,
    ...servers,
    "",
  ].join("\n");
};

const assertInstalled = async (): Promise<void> => {
  try {
    await access(program, constants.X_OK);
  } catch (error) {
    throw new RefloatError("program.missing", `${program} is not installed`, {
      cause: error,
      hint: "it is in the Debian package haproxy",
      nextCommand: "apt-get install haproxy",
    });
  }
};

const ask = async (socket: string, command: string): Promise<string> => {
  const connection = createConnection(socket);
  try {
    await once(connection, "connect");
    connection.write(`${command}\n`);
    let answer = "";
    for await (const chunk of connection) answer += String(chunk);
    return answer;
  } finally {
    connection.destroy();
  }
};

/** Ends the child and waits until it is gone; a child that ignores SIGTERM is killed. */
const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await gone;
  clearTimeout(killer);
};

/** @throws RefloatError program.missing with the package to install, program.failed with what HAProxy said */
export const startHaproxy = async (options: HaproxyOptions): Promise<HaproxyServer> => {
  await assertInstalled();
  const directory = await mkdtemp(join(options.directory ?? tmpdir(), "haproxy-"));
  const port = options.port ?? (await findFreePort());
  const tcpPort = options.tcpSocket === true ? await findFreePort() : null;
  const configPath = join(directory, "haproxy.cfg");
  const stateFile = join(directory, "servers.state");
  const socket = join(directory, "admin.sock");
  await writeFile(configPath, configuration(options, { port, directory, tcpPort }));
  await writeFile(stateFile, "1\n");

  const launch = async (extra: readonly string[]): Promise<ChildProcess> => {
    const child = spawn(program, ["-db", "-q", "-f", configPath, ...extra], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4_096)));
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new RefloatError("program.failed", `haproxy ended at once: ${said.trimEnd()}`);
      const answer = await ask(socket, "show info").catch(() => "");
      if (answer.includes(`Pid: ${child.pid}\n`)) return child;
      if (performance.now() > deadline) {
        await end(child);
        throw new RefloatError("program.failed", `haproxy does not answer at ${socket}: ${said.trimEnd()}`);
      }
      await delay(20);
    }
  };

  const removeDirectory = () => rm(directory, { recursive: true, force: true });
  let child: ChildProcess;
  try {
    child = await launch([]);
  } catch (error) {
    await removeDirectory();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    socket,
    tcpSocket: tcpPort === null ? null : `ipv4@127.0.0.1:${tcpPort}`,
    stateFile,
    configPath,
    ask: (command) => ask(socket, command),
    reload: async () => {
      const old = child;
      child = await launch(["-sf", String(old.pid)]);
      await end(old);
    },
    stop: async () => {
      await end(child);
      await removeDirectory();
    },
  };
};
