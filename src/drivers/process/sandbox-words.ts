/** The command line of a sandbox: what it sees, what it may do, and how one gets in afterwards. */
import { dirname } from "node:path";
import type { SandboxOptions } from "./sandbox-provision.ts";

/** All that root inside keeps: to run servers as their own users on production's ports, and nothing that reaches out. */
const capabilities = ["setuid", "setgid", "chown", "dac_override", "fowner", "kill", "net_bind_service"] as const;

/** Of /etc only what programs need to run and to find names; production's keys and settings stay outside. */
const etcFiles = [
  "passwd",
  "group",
  "nsswitch.conf",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "alternatives",
  "localtime",
  "services",
  "protocols",
  "ssl/openssl.cnf",
] as const;

const systemFolders = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] as const;

/** Bubblewrap makes what leads to a mount for root alone, and a server that runs as its own user would not get there. */
const openFolder = (path: string): readonly string[] => ["--perms", "0755", "--dir", path];

/** `/srv` and `/srv/drill` for `/srv/drill/pg`. */
const foldersAbove = (path: string): readonly string[] => {
  const above = dirname(path);
  return above === "/" ? [] : [...foldersAbove(above), above];
};

/** The private network is made first, while the right to give it addresses is still there. */
const network =
  'ip link set lo up && for address in $ADDRESSES; do ip address add "$address" dev lo || exit 1; done && unset ADDRESSES && exec "$@"';

/** @param hosts path of the file that becomes /etc/hosts */
export const sandboxWords = (
  { hostname, read = [], write = [] }: SandboxOptions,
  line: string,
  hosts: string,
): readonly string[] => [
  "unshare",
  "--net",
  "--",
  "/bin/sh",
  "-c",
  network,
  "sandbox",
  "bwrap",
  "--unshare-pid",
  "--unshare-ipc",
  "--unshare-uts",
  ...(hostname === undefined ? [] : ["--hostname", hostname]),
  "--unshare-cgroup-try",
  "--new-session",
  "--cap-drop",
  "ALL",
  ...capabilities.flatMap((name) => ["--cap-add", `CAP_${name.toUpperCase()}`]),
  "--ro-bind",
  "/usr",
  "/usr",
  ...systemFolders.flatMap((name) => ["--ro-bind-try", `/${name}`, `/${name}`]),
  ...openFolder("/etc"),
  ...etcFiles.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
  "--ro-bind",
  hosts,
  "/etc/hosts",
  ...["/run", "/var", "/root", "/home"].flatMap((path) => ["--tmpfs", path]),
  "--perms",
  "1777",
  "--tmpfs",
  "/tmp",
  "--proc",
  "/proc",
  // Settings of the kernel belong to the whole machine, and are root's to write by their mode alone.
  "--ro-bind",
  "/proc/sys",
  "/proc/sys",
  "--dev",
  "/dev",
  ...[...new Set([...read, ...write].flatMap(foldersAbove))].flatMap(openFolder),
  ...read.flatMap((path) => ["--ro-bind", path, path]),
  ...write.flatMap((path) => ["--bind", path, path]),
  "--chdir",
  "/",
  "/bin/sh",
  "-c",
  line,
];

export const hostsFile = ({ hostname, hosts = {} }: SandboxOptions): string =>
  [
    `127.0.0.1 localhost${hostname === undefined ? "" : ` ${hostname}`}`,
    "::1 localhost",
    ...Object.entries(hosts).map(([name, address]) => `${address} ${name}`),
    "",
  ].join("\n");

/** Words that run what follows them inside, with no more rights than what runs there. @param first its first process */
export const enterWords = (first: number): string =>
  [
    `nsenter --target ${first} --mount --uts --ipc --net --pid --`,
    `setpriv --bounding-set=-all,${capabilities.map((name) => `+${name}`).join(",")} --inh-caps=-all --no-new-privs --`,
  ].join(" ");
