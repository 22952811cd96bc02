/** HAProxy in front of the shop, set up as Debian sets it up: a folder of configuration, a master process, an admin socket. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export type Proxy = {
  readonly port: number;
  readonly socket: string;
  /** What it reads at a reload, so that changes at run time stay. */
  readonly stateFile: string;
  /** Shell command that makes it read its configuration again. */
  readonly reloadCommand: string;
  readonly pid: number;
};

const configuration = (runtime: string, port: number, appPort: number): string => `global
  stats socket ${join(runtime, "admin.sock")} mode 600 level admin expose-fd listeners
  server-state-file ${join(runtime, "servers.state")}
  hard-stop-after 5s
  maxconn 1000

defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout queue 10s
  load-server-state-from-file global

frontend customers
  bind 127.0.0.1:${port}
  default_backend shop

backend shop
  option httpchk GET /alive
  server app 127.0.0.1:${appPort} check inter 500ms fall 4 rise 1
`;

/**
 * Returns only when the old worker is gone: until then it may still answer on the admin socket, and what it is told there is lost with it.
 */
const reloadScript = (master: number, configurationFile: string): string => `#!/bin/sh
set -eu
PATH=$PATH:/usr/sbin
haproxy -c -q -f '${configurationFile}'
old=$(cat /proc/${master}/task/${master}/children)
kill -USR2 ${master}
for worker in $old; do
  tries=1200
  while kill -0 "$worker" 2> /dev/null; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "the old worker $worker does not leave" >&2; exit 1; }
    sleep 0.05
  done
done
`;

/** One command of the runtime API. @returns the whole answer */
export const askProxy = async (socket: string, command: string): Promise<string> => {
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

/** What an operator's deployment does: the same server of the back end, at the new release's port. */
export const directProxy = async (socket: string, appPort: number): Promise<void> => {
  const answer = await askProxy(socket, `set server shop/app addr 127.0.0.1 port ${appPort}`);
  // It answers each change with a line of its own and says so where there was none; an unknown server is an error.
  if (!/changed|no need/.test(answer)) throw new Error(`haproxy refuses to be directed: ${answer.trim()}`);
};

/** @returns the port that customers are directed to now */
export const readProxyPort = async (socket: string): Promise<number> => {
  const [, names = "", server = ""] = (await askProxy(socket, "show servers state shop")).split("\n");
  const port = Number(server.split(" ")[names.replace(/^# /, "").split(" ").indexOf("srv_port")]);
  if (!Number.isInteger(port)) throw new Error(`haproxy does not tell where its server is: ${server}`);
  return port;
};

const waitForSocket = async (socket: string, isOver: () => boolean, logFile: string): Promise<void> => {
  for (let attempt = 0; attempt < 2400; attempt += 1) {
    const answer = await askProxy(socket, "show info").catch(() => "");
    if (answer.includes("Pid: ")) return;
    if (isOver()) break;
    await delay(25);
  }
  throw new Error(`haproxy did not start: ${await readFile(logFile, "utf8")}`);
};

/** Starts it detached: it outlives us until `end` of the shop. */
export const startProxy = async (options: {
  /** Of the configuration. */
  readonly folder: string;
  /** Of the socket, the state and the pid. */
  readonly runtime: string;
  readonly port: number;
  readonly appPort: number;
  readonly logFile: string;
}): Promise<Proxy> => {
  const { folder, runtime, port } = options;
  await mkdir(folder, { recursive: true });
  const file = join(folder, "haproxy.cfg");
  const pidFile = join(runtime, "haproxy.pid");
  await writeFile(file, configuration(runtime, port, options.appPort));
  const stateFile = join(runtime, "servers.state");
  await writeFile(stateFile, "1\n");
  const log = await open(options.logFile, "a");
  const child = spawn("haproxy", ["-W", "-db", "-f", file, "-p", pidFile], {
    // Not the folder of the configuration: a recovery exchanges that one, and HAProxy cannot be reloaded in a folder that is gone.
    cwd: runtime,
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: { ...process.env, PATH: `${process.env.PATH ?? ""}${delimiter}/usr/sbin` },
  });
  let failure: Error | null = null;
  child.on("error", (error) => (failure = error));
  const socket = join(runtime, "admin.sock");
  try {
    await waitForSocket(socket, () => failure !== null || child.exitCode !== null, options.logFile);
  } finally {
    await log.close();
  }
  child.unref();
  const reload = join(runtime, "reload.sh");
  await writeFile(reload, reloadScript(child.pid ?? 0, file), { mode: 0o755 });
  return { port, socket, stateFile, reloadCommand: reload, pid: child.pid ?? 0 };
};
