/**
 * A throw-away Ceph cluster with an S3 gateway for tests: one monitor, one manager, one store of objects in a sparse file, one radosgw,
 * all on free loopback ports and in one temporary folder. It has versions and Object Lock as S3 has. Takes about 20 s to start, so share
 * one per test file. Not for data that anyone wants to keep.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { constants } from "node:fs";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findFreePort } from "./free-port.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "../platform/subprocess.ts";

export type RadosgwUser = { readonly accessKeyId: string; readonly secretAccessKey: string };

export type RadosgwServer = {
  readonly url: string;
  readonly port: number;
  /** Owner of every bucket, with all rights that S3 knows. */
  readonly owner: RadosgwUser;
  readonly addUser: (name: string) => Promise<RadosgwUser>;
  /** Ends all processes and removes the folder. Idempotent. */
  readonly stop: () => Promise<void>;
};

const startTimeoutMs = 240_000;
const never = new AbortController().signal;

const programs: Readonly<Record<string, string>> = {
  "ceph-mon": "ceph-mon",
  "ceph-mgr": "ceph-mgr",
  "ceph-osd": "ceph-osd",
  radosgw: "radosgw",
  ceph: "ceph-common",
};

const assertInstalled = async (): Promise<void> => {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/sbin"];
  const isThere = async (program: string): Promise<boolean> => {
    for (const folder of folders) {
      try {
        await access(join(folder, program), constants.X_OK);
        return true;
      } catch {
        continue;
      }
    }
    return false;
  };
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (await isThere(program)) continue;
    throw new RefloatError("program.missing", `${program} is not installed`, {
      hint: `it is in the Debian package ${debianPackage}`,
      nextCommand: `apt-get install --no-install-recommends ${[...new Set(Object.values(programs))].join(" ")}`,
    });
  }
};

const configuration = (directory: string, at: { fsid: string; monitor: number; gateway: number }): string =>
  [
    "[global]",
    `fsid = ${at.fsid}`,
    `mon host = v1:127.0.0.1:${at.monitor}`,
    "auth cluster required = cephx",
    "auth service required = cephx",
    "auth client required = cephx",
    `keyring = ${join(directory, "keyring")}`,
    `run dir = ${directory}`,
    `admin socket = ${join(directory, "$name.asok")}`,
    `log file = ${join(directory, "$name.log")}`,
    `crash dir = ${join(directory, "crash")}`,
    "log to stderr = false",
    "err to stderr = false",
    "public addr = 127.0.0.1",
    "cluster addr = 127.0.0.1",
    "ms bind msgr2 = false",
    `mon data = ${join(directory, "mon")}`,
    `mgr data = ${join(directory, "mgr")}`,
    `osd data = ${join(directory, "osd")}`,
    "mon allow pool size one = true",
    "mon warn on pool no redundancy = false",
    // A test machine's disk may be nearly full, and the monitor would stop.
    "mon data avail warn = 1",
    "mon data avail crit = 0",
    "mon max pg per osd = 2000",
    "mgr initial modules =",
    "osd pool default size = 1",
    "osd pool default min size = 1",
    "osd pool default pg num = 8",
    "osd pool default pgp num = 8",
    "osd pool default pg autoscale mode = off",
    "osd crush chooseleaf type = 0",
    "osd objectstore = bluestore",
    `bluestore block size = ${4 * 1024 ** 3}`,
    "bluestore cache autotune = false",
    `bluestore cache size = ${64 * 1024 ** 2}`,
    "[client.rgw]",
    `rgw frontends = beast endpoint=127.0.0.1:${at.gateway}`,
    "rgw thread pool size = 32",
    "rgw enable usage log = false",
    "",
  ].join("\n");

class Cluster {
  readonly #directory: string;
  readonly #conf: string;
  readonly #children: ChildProcess[] = [];

  constructor(directory: string) {
    this.#directory = directory;
    this.#conf = join(directory, "ceph.conf");
  }

  async run(program: string, ...args: readonly string[]): Promise<string> {
    const { stdout } = await runProgram(program, ["-c", this.#conf, ...args], { signal: never });
    return stdout;
  }

  start(program: string, ...args: readonly string[]): ChildProcess {
    const child = spawn(program, ["-c", this.#conf, "-f", ...args], { stdio: "ignore" });
    this.#children.push(child);
    return child;
  }

  /** @throws RefloatError program.failed if a process has ended, or the time is over */
  async until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    while (!(await isTrue().catch(() => false))) {
      const ended = this.#children.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
      if (ended !== undefined || performance.now() > deadline) {
        throw new RefloatError("program.failed", `${what} did not come up; ${ended?.spawnfile ?? "no process"} ended`, {
          context: { log: await this.#lastWords(ended) },
        });
      }
      await delay(100);
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, "exit");
      // Nothing of it is kept, so nothing has to be put in order.
      child.kill("SIGKILL");
      await gone;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #lastWords(child: ChildProcess | undefined): Promise<string> {
    const name = child?.spawnargs.at(-1) ?? "";
    const text = await readFile(join(this.#directory, `${name}.log`), "utf8").catch(() => "");
    return text.slice(-2000);
  }
}

const drawUser = (): RadosgwUser => ({
  accessKeyId: randomBytes(10).toString("hex").toUpperCase(),
  secretAccessKey: randomBytes(20).toString("hex"),
});

const answers = async (url: string): Promise<boolean> => (await fetch(url)).status < 500;

/** @throws RefloatError program.missing with the packages to install, program.failed with what Ceph said */
export const startRadosgw = async (): Promise<RadosgwServer> => {
  await assertInstalled();
  const directory = await mkdtemp(join(tmpdir(), "refloat-ceph-"));
  const cluster = new Cluster(directory);
  try {
    const monitor = await findFreePort();
    const port = await findFreePort();
    const url = `http://127.0.0.1:${port}`;
    const fsid = randomUUID();
    await writeFile(join(directory, "ceph.conf"), configuration(directory, { fsid, monitor, gateway: port }));
    for (const folder of ["mon", "mgr", "osd", "crash"]) await mkdir(join(directory, folder));
    await makeKeyring(join(directory, "keyring"));
    const monmap = join(directory, "monmap");
    const address = `[v1:127.0.0.1:${monitor}]`;
    await runProgram("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", address, monmap], { signal: never });
    await cluster.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", join(directory, "keyring"));
    cluster.start("ceph-mon", "-i", "a");
    const osd = randomUUID();
    await cluster.until(
      "the monitor",
      async () => (await cluster.run("ceph", "--connect-timeout", "5", "osd", "new", osd)) !== "",
    );
    cluster.start("ceph-mgr", "-i", "x");
    await cluster.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd);
    cluster.start("ceph-osd", "-i", "0");
    cluster.start("radosgw", "-n", "client.rgw");
    await cluster.until("the gateway", async () => answers(url));
    const addUser = async (name: string): Promise<RadosgwUser> => {
      const user = drawUser();
      await cluster.run(
        "radosgw-admin",
        "-n",
        "client.rgw",
        "user",
        "create",
        `--uid=${name}`,
        `--display-name=${name}`,
        `--access-key=${user.accessKeyId}`,
        `--secret-key=${user.secretAccessKey}`,
      );
      return user;
    };
    const owner = await addUser("owner");
    return { url, port, owner, addUser, stop: async () => cluster.stop() };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
};

/** One file for all: whoever can read it is the test itself. */
const makeKeyring = async (path: string): Promise<void> => {
  const all = (...services: readonly string[]) => services.flatMap((service) => ["--cap", service, "allow *"]);
  const owners: readonly (readonly [string, readonly string[]])[] = [
    ["mon.", all("mon")],
    ["client.admin", all("mon", "mgr", "osd")],
    ["mgr.x", all("mon", "mgr", "osd")],
    ["osd.0", all("mon", "mgr", "osd")],
    ["client.rgw", all("mon", "mgr", "osd")],
  ];
  for (const [at, [name, caps]] of owners.entries()) {
    const make = at === 0 ? ["--create-keyring"] : [];
    await runProgram("ceph-authtool", [path, ...make, "--gen-key", "-n", name, ...caps], { signal: never });
  }
};
