/** Which processes listen on a TCP port of this machine: the kernel's table of sockets joined with the open files of processes. */
import { readFile, readdir, readlink } from "node:fs/promises";

export type PortOwners = {
  /** Does anybody listen? */
  readonly open: boolean;
  /** Processes that hold a listening socket of the port. Fewer than there are when they belong to other users and we are not root. */
  readonly pids: readonly number[];
};

const listenState = "0A";

/** Inodes of listening sockets by port. */
const listeningInodes = async (port: number): Promise<ReadonlySet<string>> => {
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "latin1").catch(() => "")),
  );
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

const holdsOne = async (pid: string, inodes: ReadonlySet<string>): Promise<boolean> => {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const target = await readlink(`${folder}/${name}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
};

export const isPortOpen = async (port: number): Promise<boolean> => (await listeningInodes(port)).size > 0;

export const findPortOwners = async (port: number): Promise<PortOwners> => {
  const inodes = await listeningInodes(port);
  if (inodes.size === 0) return { open: false, pids: [] };
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const holds = await Promise.all(names.map((name) => holdsOne(name, inodes)));
  return { open: true, pids: names.filter((_, index) => holds[index]).map(Number) };
};
