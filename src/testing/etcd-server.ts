/** A real etcd server for tests: one member (or one of several) on free loopback ports, in a temporary folder, started and stopped by two lines. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { RefloatError } from "../model/refloat-error.ts";
import { readFileSync } from "node:fs";
import { isRunning, listProcesses, readPlaces, readProcess, signalProcess } from "../platform/process-table.ts";
import { runProgram } from "../platform/subprocess.ts";
import { findFreePort } from "./free-port.ts";

export type EtcdServer = {
  readonly port: number;
  /** Holds everything of it. */
  readonly directory: string;
  readonly data: string;
  readonly url: string;
  /** Lines for a declaration. */
  readonly startLine: string;
  readonly stopLine: string;
  /** Runs one command by the stock client. @returns what it prints, without the last newline */
  readonly ctl: (...words: readonly string[]) => Promise<string>;
  /** Ends it at once, as a crash does. */
  readonly crash: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Ends every server that works in its directory, and removes that. Idempotent. */
  readonly stop: () => Promise<void>;
};

type EtcdServerOptions = {
  /** How the stock client logs in: `root:password`. */
  readonly user?: () => string | null;
  /** Whether others are waited for: of a member whose peers are not there yet. */
  readonly peers?: Readonly<Record<string, number>>;
  readonly name?: string;
  /** A certificate with its key beside (`tls.pem`, `tls.key`): clients come by TLS, and show one of that authority. */
  readonly certificate?: string;
  readonly directory?: string;
};

const never = new AbortController().signal;

/** @throws RefloatError program.failed with the last lines of the server's log */
export const startEtcdServer = async (options: EtcdServerOptions = {}): Promise<EtcdServer> => {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "refloat-etcd-")));
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  const data = join(directory, "data");
  const name = options.name ?? "default";
  const port = await findFreePort();
  const { certificate } = options;
  const url = certificate === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  const listen = url.replace("localhost", "127.0.0.1");
  const key = certificate?.replace(/pem$/, "key");
  const tlsFlags =
    certificate === undefined
      ? ""
      : `--cert-file ${certificate} --key-file ${key} --client-cert-auth --trusted-ca-file ${certificate}`;
  const peers = options.peers ?? { [name]: await findFreePort() };
  const peerOf = (peer: string): string => `http://127.0.0.1:${peers[peer]}`;
  const startLine = `sh ${join(directory, "start")}`;
  const stopLine = `sh ${join(directory, "stop")}`;
  const log = join(directory, "etcd.log");
  await writeFile(
    join(directory, "start"),
    `[ -e ${directory}/pid ] && kill -0 "$(cat ${directory}/pid)" 2> /dev/null && exit 0
setsid etcd --data-dir ${data} --name ${name} ${tlsFlags} --listen-client-urls ${listen} --advertise-client-urls ${url} \\
  --listen-peer-urls ${peerOf(name)} --initial-advertise-peer-urls ${peerOf(name)} \\
  --initial-cluster ${Object.keys(peers)
    .map((peer) => `${peer}=${peerOf(peer)}`)
    .join(",")} >> ${log} 2>&1 < /dev/null &
echo $! > ${directory}/pid
`,
  );
  await writeFile(
    join(directory, "stop"),
    `[ -e ${directory}/pid ] || exit 0
kill "$(cat ${directory}/pid)" 2> /dev/null
while kill -0 "$(cat ${directory}/pid)" 2> /dev/null && ! grep -q '^State:.Z' "/proc/$(cat ${directory}/pid)/status"; do sleep 0.05; done
rm -f ${directory}/pid
`,
  );
  const tlsWords =
    certificate === undefined ? [] : ["--insecure-skip-tls-verify", "--cert", certificate, "--key", String(key)];
  const ctl: EtcdServer["ctl"] = async (...words) => {
    const user = options.user?.() ?? null;
    const environment = { ETCDCTL_API: "3", ...(user === null ? {} : { ETCDCTL_USER: user }) };
    return (
      await runProgram("etcdctl", ["--endpoints", url, "--dial-timeout=1s", ...tlsWords, ...words], {
        signal: never,
        environment,
      })
    ).stdout.replace(/\n$/, "");
  };
  const start = async (): Promise<void> => {
    await runProgram("sh", [join(directory, "start")], { signal: never });
    if (Object.keys(peers).length > 1) return;
    for (let tries = 0; ; tries += 1) {
      if (
        await ctl("endpoint", "health").then(
          () => true,
          () => false,
        )
      )
        return;
      if (tries === 100)
        throw new RefloatError(
          "program.failed",
          `the test server did not start: ${(await readFile(log, "utf8")).slice(-500)}`,
          {
            nextCommand: "apt-get install etcd-server etcd-client",
          },
        );
    }
  };
  const endAll = (): void => {
    for (const one of listProcesses()) {
      const { workingDirectory, words } = readPlaces(one.pid);
      const isOurs = workingDirectory?.startsWith(directory) === true || words.includes(data);
      if (isOurs) signalProcess(one, "SIGKILL");
    }
  };
  const stop = async (): Promise<void> => {
    endAll();
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const crash = async (): Promise<void> => {
    const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
    process.kill(pid, "SIGKILL");
    // As long as it is not gone its port is taken, and the next one would end at once.
    while (isRunning(readProcess(pid))) await setTimeout(10);
    await rm(join(directory, "pid"));
  };
  return { port, directory, data, url, startLine, stopLine, ctl, crash, start, stop };
};
