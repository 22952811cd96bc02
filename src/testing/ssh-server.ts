/**
 * A throw-away sshd for tests: own port on loopback, own host and user keys, own ssh_config, all in a temporary folder. Serves SFTP only. Runs
 * as a plain user, who can log in as himself alone, or as root in a mount name space of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, chown, constants, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { findFreePort } from "./free-port.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { listProcesses } from "../platform/process-table.ts";

export type SshServerOptions = {
  /** Who runs it and logs in: whoever runs the test, or `nobody`, for which the test must be run by root. */
  readonly as?: "self" | "nobody";
  /** Lines for sshd_config, before all others. */
  readonly settings?: readonly string[];
};

export type SshServer = {
  readonly port: number;
  readonly user: string;
  /** Knows the key to log in with and the server's own; to be read instead of ~/.ssh/config. */
  readonly configFile: string;
  readonly knownHostsFile: string;
  readonly identityFile: string;
  /** A folder that its user may write to. */
  readonly folder: string;
  /** `sftp://user@127.0.0.1:port//folder/name` */
  readonly location: (name: string) => string;
  /** Options of the restic program that take it through the same configuration. */
  readonly resticOptions: readonly string[];
  /** Ends the processes that serve present connections, without a word to their clients; new connections are served. */
  readonly cutConnections: () => Promise<void>;
  /** How many processes serve clients now. */
  readonly connections: () => number;
  /** Stops listening and serving. `start` brings it back on the same port. */
  readonly halt: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Ends all its processes and removes the folder. Idempotent. */
  readonly stop: () => Promise<void>;
};

const program = "/usr/sbin/sshd";
const nobody = { uid: 65_534, gid: 65_534, name: "nobody" };
const startTimeoutMs = 60_000;

const assertInstalled = async (): Promise<void> => {
  try {
    await access(program, constants.X_OK);
  } catch (error) {
    throw new RefloatError("program.missing", `${program} is not installed`, {
      cause: error,
      hint: "it is in the Debian package openssh-server",
      nextCommand: "apt-get install openssh-server",
    });
  }
};

const descendants = (pid: number): readonly number[] => {
  const rows = listProcesses();
  const below = (parent: number): number[] =>
    rows.flatMap((row) => (row.parent === parent ? [row.pid, ...below(row.pid)] : []));
  return below(pid);
};

const killAll = (pids: readonly number[]): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
};

const makeKey = async (path: string): Promise<string> => {
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "refloat-test", "-f", path]);
  return readFile(`${path}.pub`, "utf8");
};

/** @throws RefloatError program.missing with the package to install, program.failed with what sshd said */
export const startSshServer = async (options: SshServerOptions = {}): Promise<SshServer> => {
  await assertInstalled();
  const isRoot = process.getuid?.() === 0;
  const own = userInfo();
  const who = options.as === "nobody" ? nobody : { uid: own.uid, gid: own.gid, name: own.username };
  const asRoot = isRoot && who.uid === 0;
  const directory = await mkdtemp(join(tmpdir(), "sshd-"));
  await chmod(directory, 0o755);
  const at = (name: string): string => join(directory, name);
  const port = await findFreePort();
  const folder = at("home");
  await mkdir(folder, { mode: 0o700 });
  const hostKey = await makeKey(at("host_key"));
  await writeFile(at("authorized_keys"), await makeKey(at("user_key")));
  await writeFile(at("known_hosts"), `[127.0.0.1]:${port} ${hostKey}`);
  await writeFile(
    at("sshd_config"),
    [
      ...(options.settings ?? []),
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${at("host_key")}`,
      `AuthorizedKeysFile ${at("authorized_keys")}`,
      "PidFile none",
      "PermitRootLogin yes",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      `UsePAM ${asRoot ? "no" : "yes"}`,
      "StrictModes no",
      "MaxStartups 100",
      "Subsystem sftp internal-sftp",
      "",
    ].join("\n"),
  );
  await writeFile(
    at("ssh_config"),
    [
      "Host *",
      `  UserKnownHostsFile ${at("known_hosts")}`,
      "  GlobalKnownHostsFile none",
      `  IdentityFile ${at("user_key")}`,
      "  IdentitiesOnly yes",
      "  IdentityAgent none",
      "  BatchMode yes",
      "",
    ].join("\n"),
  );
  if (who.uid !== own.uid) {
    for (const name of ["home", "host_key", "authorized_keys", "sshd_config"]) await chown(at(name), who.uid, who.gid);
  }

  let child: ChildProcess | undefined;
  let log = "";
  const start = async (): Promise<void> => {
    const sshd = [program, "-D", "-e", "-f", at("sshd_config")];
    // As root it wants /run/sshd, which the package makes at boot only; a private /run leaves the machine as it is.
    const inPrivateRun = 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"';
    const [command = "", ...args] = asRoot ? ["unshare", "--mount", "sh", "-c", inPrivateRun, "sh", ...sshd] : sshd;
    const started = spawn(command, args, {
      stdio: ["ignore", "ignore", "pipe"],
      ...(asRoot ? {} : { uid: who.uid, gid: who.gid }),
    });
    child = started;
    const listening = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("it does not listen")), startTimeoutMs);
      started.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        if (!log.includes("Server listening on 127.0.0.1")) return;
        clearTimeout(timer);
        resolve();
      });
      started.once("exit", (status) => {
        clearTimeout(timer);
        reject(new Error(`it ended with ${status}`));
      });
    });
    try {
      await listening;
    } catch (error) {
      await halt();
      throw new RefloatError("program.failed", `sshd could not be started: ${log.trim()}`, { cause: error });
    }
  };
  const halt = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending?.pid === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = once(ending, "exit");
    const serving = descendants(ending.pid);
    ending.kill("SIGKILL");
    killAll(serving);
    await gone;
    log = log.replaceAll("Server listening", "server listened");
  };
  const stop = async (): Promise<void> => {
    await halt();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const configFile = at("ssh_config");
  return {
    port,
    user: who.name,
    configFile,
    knownHostsFile: at("known_hosts"),
    identityFile: at("user_key"),
    folder,
    location: (name) => `sftp://${who.name}@127.0.0.1:${port}/${join(folder, name)}`,
    resticOptions: ["-o", `sftp.command=ssh -F ${configFile} -p ${port} ${who.name}@127.0.0.1 -s sftp`],
    cutConnections: async () => killAll(child?.pid === undefined ? [] : descendants(child.pid)),
    connections: () => (child?.pid === undefined ? 0 : descendants(child.pid).length),
    halt,
    start,
    stop,
  };
};
