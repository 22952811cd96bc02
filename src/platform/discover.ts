/**
 * Looks at this machine for `refloat init`: PostgreSQL servers with their databases, processes that listen on TCP ports with their
 * folders and the names of their variables, HAProxy with its configuration. Reads only; values of variables are looked at here and
 * go no further than what they mean. What may not be seen (other users' processes, when we are not root) is told as a gap.
 */
import { lstat, readFile, readdir, realpath, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import pLimit from "p-limit";
import { parseHaproxyConfig } from "../core/init/haproxy-config.ts";
import type { FoundHaproxy, FoundProcess, MachineFindings, VariableMeaning } from "../core/init/machine-findings.ts";
import { maskWords } from "../core/init/mask-words.ts";
import { isGeneralVariable, meaningOf } from "../core/init/variable-meaning.ts";
import { askPostgres, findPostgresServers } from "./discover-postgres.ts";
import { type ProcessRow, listProcesses, readEnvironment, readPlaces, systemdUnitOf } from "./process-table.ts";
import {
  type TcpSocket,
  type UnixListener,
  readSocketHolders,
  readTcpSockets,
  readUnixListeners,
} from "./socket-table.ts";

type Listener = {
  readonly row: ProcessRow;
  readonly program: string;
  readonly executable: string | null;
  readonly workingDirectory: string | null;
  readonly words: readonly string[];
  readonly ports: readonly number[];
  readonly connectsTo: readonly number[];
  readonly sockets: readonly string[];
};

/** Servers that hold data and are not proposed: the type that a person can declare, null where this version has none. */
const otherServers: ReadonlyMap<string, string | null> = new Map([
  ["mariadbd", "mariadb"],
  ["mysqld", "mariadb"],
  ["redis-server", "redis"],
  ["redis-check-rdb", "redis"],
  ["mongod", null],
  ["etcd", "etcd"],
]);

/** Programs of the operating system: nobody's service. */
const systemPrograms =
  /^(systemd.*|sshd.*|dnsmasq|cupsd|rpcbind|rpc\..*|chronyd|ntpd|exim4|master|dhclient|avahi-daemon|containerd|dockerd|docker-proxy|NetworkManager|named|unbound|xinetd|inetd|kubelet|.*_exporter|snmpd|zabbix_agentd|pgbouncer)$/;

const processesAtOnce = 16;

export const discoverMachine = async (signal: AbortSignal): Promise<MachineFindings> => {
  const [tcp, unix, holders] = await Promise.all([readTcpSockets(), readUnixListeners(), readSocketHolders()]);
  signal.throwIfAborted();
  const limit = pLimit(processesAtOnce);
  const listeners = listProcesses()
    .map((row) => describeListener(row, holders.get(row.pid), tcp, unix))
    .filter((listener) => listener !== null);
  const heads = listeners.filter((listener) => !listeners.some((other) => isWorkerOf(listener, other)));
  const servers = findPostgresServers(
    heads.filter(({ program }) => program === "postgres"),
    unix,
    tcp,
  );
  const postgres = await Promise.all(servers.map((server) => limit(() => askPostgres(server, signal))));
  signal.throwIfAborted();
  const applications = heads.filter(isApplication);
  const processes = await Promise.all(applications.map((listener) => limit(() => describeApplication(listener))));
  const haproxy = await Promise.all(heads.filter(({ program }) => program === "haproxy").map(describeHaproxy));
  return {
    hostname: hostname(),
    postgres,
    processes,
    haproxy,
    takenPorts: [...new Set(tcp.filter(({ listening }) => listening).map(({ localPort }) => localPort))],
    gaps: gapsOf(heads, tcp, holders),
  };
};

const describeListener = (
  row: ProcessRow,
  held: ReadonlySet<string> | undefined,
  tcp: readonly TcpSocket[],
  unix: readonly UnixListener[],
): Listener | null => {
  if (held === undefined || row.pid === process.pid) return null;
  const own = tcp.filter(({ inode }) => held.has(inode));
  const ports = [...new Set(own.filter(({ listening }) => listening).map(({ localPort }) => localPort))].sort(
    (a, b) => a - b,
  );
  const sockets = unix.filter(({ inode }) => held.has(inode)).map(({ path }) => path);
  if (ports.length === 0 && sockets.length === 0) return null;
  const { workingDirectory, executable, words } = readPlaces(row.pid);
  const isLocal = ({ localHost, remoteHost }: TcpSocket): boolean =>
    remoteHost === localHost || remoteHost.startsWith("127.") || remoteHost === "::1";
  const connectsTo = [
    ...new Set(own.filter((socket) => !socket.listening && isLocal(socket)).map(({ remotePort }) => remotePort)),
  ];
  const program = basename(executable ?? words[0] ?? "");
  return { row, program, executable, workingDirectory, words, ports, connectsTo, sockets };
};

/** A worker shares a port with the process that made it. */
const isWorkerOf = (listener: Listener, other: Listener): boolean =>
  listener.row.parent === other.row.pid &&
  (listener.ports.some((port) => other.ports.includes(port)) ||
    (listener.program === "postgres" && other.program === "postgres"));

const isApplication = ({ program, ports, workingDirectory }: Listener): boolean =>
  ports.length > 0 &&
  program !== "postgres" &&
  program !== "haproxy" &&
  !otherServers.has(program) &&
  !systemPrograms.test(program) &&
  workingDirectory !== null &&
  workingDirectory !== "/";

const describeApplication = async (listener: Listener): Promise<FoundProcess> => {
  const { row, program, words, workingDirectory, ports, connectsTo } = listener;
  const environment = readEnvironment(row.pid);
  return {
    pid: row.pid,
    user: await userOf(row.pid),
    program,
    words: maskWords(words),
    workingDirectory,
    releaseLink: workingDirectory === null ? null : await findReleaseLink(workingDirectory, environment?.get("PWD")),
    ports,
    variables: environment === null ? null : await readVariables(environment, ports, workingDirectory),
    connectsTo,
    systemdUnit: systemdUnitOf(row.pid),
  };
};

const readVariables = async (
  environment: ReadonlyMap<string, string>,
  ports: readonly number[],
  workingDirectory: string | null,
): Promise<FoundProcess["variables"]> => {
  const named = [...environment].filter(([name]) => !isGeneralVariable(name) && /^[A-Za-z_]\w*$/.test(name));
  return Promise.all(
    named.map(async ([name, value]) => ({
      name,
      meaning: await confirmFolder(meaningOf(value, ports), workingDirectory),
    })),
  );
};

/** A path means a folder of data when there is such a folder, and it is not the release or what holds it. */
const confirmFolder = async (meaning: VariableMeaning, workingDirectory: string | null): Promise<VariableMeaning> => {
  if (meaning.kind !== "folder") return meaning;
  const unknown = { kind: "unknown" } as const;
  const isFolder = await stat(meaning.path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return unknown;
  const real = await realpath(meaning.path).catch(() => meaning.path);
  const holdsRelease = workingDirectory !== null && `${workingDirectory}/`.startsWith(`${real}/`);
  return holdsRelease ? unknown : meaning;
};

const entriesLookedAt = 500;

/** A link beside the release or beside the folder of releases that leads to it: `/srv/shop/current`. */
const findReleaseLink = async (release: string, shellFolder: string | undefined): Promise<string | null> => {
  if (shellFolder !== undefined && (await leadsTo(shellFolder, release))) return shellFolder;
  for (const folder of [dirname(release), dirname(dirname(release))]) {
    const names = (await readdir(folder).catch(() => [])).slice(0, entriesLookedAt);
    for (const name of names) if (await leadsTo(join(folder, name), release)) return join(folder, name);
  }
  return null;
};

const leadsTo = async (path: string, release: string): Promise<boolean> => {
  const found = await lstat(path).catch(() => null);
  if (found === null || !found.isSymbolicLink()) return false;
  return (await realpath(path).catch(() => null)) === release;
};

const userOf = async (pid: number): Promise<string | null> => {
  const found = await stat(`/proc/${pid}`).catch(() => null);
  if (found === null) return null;
  const lines = (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n").map((line) => line.split(":"));
  return lines.find(([, , uid]) => uid === String(found.uid))?.[0] ?? null;
};

const describeHaproxy = async ({ row, words, workingDirectory }: Listener): Promise<FoundHaproxy> => {
  const flag = words.indexOf("-f");
  const named = flag < 0 ? "/etc/haproxy/haproxy.cfg" : (words[flag + 1] ?? "");
  const configFile = resolve(workingDirectory ?? "/", named);
  const text = await readFile(configFile, "utf8").catch(() => null);
  return {
    pid: row.pid,
    configFile,
    config: text === null ? null : parseHaproxyConfig(text),
    systemdUnit: systemdUnitOf(row.pid),
  };
};

const gapsOf = (
  heads: readonly Listener[],
  tcp: readonly TcpSocket[],
  holders: ReadonlyMap<number, ReadonlySet<string>>,
): readonly string[] => {
  const known = new Set([...holders.values()].flatMap((inodes) => [...inodes]));
  const hidden = [
    ...new Set(tcp.filter(({ listening, inode }) => listening && !known.has(inode)).map(({ localPort }) => localPort)),
  ];
  const unproposed = heads.flatMap(({ program, row, ports }) => {
    const type = otherServers.get(program);
    if (type === undefined) return [];
    const advice =
      type === null
        ? "it has no driver; type: command can take it (docs/plugins.md)"
        : `declare it as type: ${type} (docs/${type}.md)`;
    return [`${program} (pid ${row.pid}) listens on ${ports.join(", ")}: ${advice}`];
  });
  const placeless = heads
    .filter(
      (listener) =>
        listener.ports.length > 0 && !systemPrograms.test(listener.program) && listener.workingDirectory === "/",
    )
    .filter(({ program }) => program !== "postgres" && program !== "haproxy" && !otherServers.has(program))
    .map(
      ({ program, row, ports }) =>
        `${program} (pid ${row.pid}) listens on ${ports.join(", ")} and runs in /, so its release folder is not known`,
    );
  const others =
    hidden.length === 0 || process.getuid?.() === 0
      ? []
      : [`what listens on ${hidden.join(", ")} belongs to other users; run refloat init as root to see it`];
  return [...unproposed, ...placeless, ...others];
};
