/** The shop's application as an operator starts and stops it. */
import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

export type AppProcess = { readonly pid: number; readonly port: number };

export type AppOptions = {
  readonly release: string;
  readonly port: number;
  readonly databaseUrl: string;
  readonly uploads: string;
  readonly logFile: string;
};

/** @param name 0 only asks @returns whether it is still there: it may end between a look and a signal */
const signal = (pid: number, name: NodeJS.Signals | 0): boolean => {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
};

/** Runs one program of a release to its end. @throws with its output when it fails */
export const runInRelease = async (program: string, options: Omit<AppOptions, "port">): Promise<void> => {
  const log = await open(options.logFile, "a");
  try {
    const child = spawn(process.execPath, [program], {
      cwd: options.release,
      stdio: ["ignore", log.fd, log.fd],
      env: { PATH: process.env.PATH, DATABASE_URL: options.databaseUrl, UPLOADS: options.uploads },
    });
    const code = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    if (code !== 0) throw new Error(`${program} ended with ${String(code)}; its words are in ${options.logFile}`);
  } finally {
    await log.close();
  }
};

/** Starts it detached and waits until it answers. */
export const startApp = async (options: AppOptions): Promise<AppProcess> => {
  const log = await open(options.logFile, "a");
  const child = spawn(process.execPath, ["server.js"], {
    cwd: options.release,
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: {
      PATH: process.env.PATH,
      PORT: String(options.port),
      DATABASE_URL: options.databaseUrl,
      UPLOADS: options.uploads,
    },
  });
  await log.close();
  for (let attempt = 0; attempt < 2400; attempt += 1) {
    const answer = await fetch(`http://127.0.0.1:${options.port}/alive`).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok === true && child.pid !== undefined) {
      child.unref();
      return { pid: child.pid, port: options.port };
    }
    if (child.exitCode !== null) break;
    await delay(25);
  }
  throw new Error(`the application did not start on port ${options.port}; its words are in ${options.logFile}`);
};

/** Asks it to leave, and waits until it is gone: requests that are under way are answered first. */
export const stopApp = async (app: AppProcess): Promise<void> => {
  const patienceMs = 10_000;
  const begunMs = performance.now();
  signal(app.pid, "SIGTERM");
  while (signal(app.pid, 0)) {
    if (performance.now() - begunMs > patienceMs) signal(app.pid, "SIGKILL");
    await delay(20);
  }
};
