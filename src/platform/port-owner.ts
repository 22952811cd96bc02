/** Which processes listen on a TCP port of this machine: the kernel's table of sockets joined with the open files of processes. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export type PortOwners = {
  /** Does anybody listen? */
  readonly open: boolean;
  /** Processes that hold a listening socket of the port. Fewer than there are when they belong to other users and we are not root. */
  readonly pids: readonly number[];
};

const listenState = "0A";

/** What has ended meanwhile, or is another user's, holds nothing that we could tell. */
const orElse = <Result>(read: () => Result, otherwise: Result): Result => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

/** Inodes of the listening sockets of a port. @param network /proc/net, or that of a process whose network is another one */
const listeningInodes = (port: number, network = "/proc/net"): ReadonlySet<string> => {
  // A kernel without IPv6 has no second table.
  const tables = [`${network}/tcp`, `${network}/tcp6`].map((path) => orElse(() => readFileSync(path, "latin1"), ""));
  const inodes = new Set<string>();
  for (const line of tables.flatMap((table) => table.split("\n").slice(1))) {
    const fields = line.trim().split(/\s+/);
    const [, local = "", , state] = fields;
    const inode = fields[9];
    if (state !== listenState || inode === undefined) continue;
    if (Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16) === port) inodes.add(inode);
  }
  return inodes;
};

const holdsOne = (pid: string, inodes: ReadonlySet<string>): boolean => {
  const folder = `/proc/${pid}/fd`;
  return orElse(() => readdirSync(folder), []).some((name) => {
    const target = orElse(() => readlinkSync(`${folder}/${name}`), "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    return inode !== undefined && inodes.has(inode);
  });
};

export const isPortOpen = (port: number): boolean => listeningInodes(port).size > 0;

/** The same in the network that a process is in. */
export const isPortOpenAround = (pid: number, port: number): boolean =>
  listeningInodes(port, `/proc/${pid}/net`).size > 0;

export const findPortOwners = (port: number): PortOwners => {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return { open: false, pids: [] };
  const names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return { open: true, pids: names.filter((name) => holdsOne(name, inodes)).map(Number) };
};
