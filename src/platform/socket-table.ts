/** The kernel's tables of sockets, from /proc/net, and who holds which. Read as they are at one moment; nothing is kept. */
import { readFile, readdir, readlink } from "node:fs/promises";
import pLimit from "p-limit";

export type TcpSocket = {
  readonly localHost: string;
  readonly localPort: number;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly listening: boolean;
  readonly inode: string;
};

const listenState = "0A";

/** IPv4 stands in the byte order of the machine, which is little-endian wherever Node runs; IPv6 in four words of the same. */
const readHost = (hex: string): string => {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)));
  const mapped = bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255;
  if (bytes.length === 4 || mapped) return bytes.slice(-4).join(".");
  if (bytes.slice(0, 15).every((byte) => byte === 0)) return bytes[15] === 1 ? "::1" : "::";
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0));
  return groups.map((group) => group.toString(16)).join(":");
};

const readAddress = (text: string): readonly [string, number] => {
  const colon = text.lastIndexOf(":");
  return [readHost(text.slice(0, colon)), Number.parseInt(text.slice(colon + 1), 16)];
};

export const parseTcpTable = (table: string): readonly TcpSocket[] =>
  table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local, remote, state] = fields;
      const inode = fields[9];
      if (local === undefined || remote === undefined || inode === undefined) return [];
      const [localHost, localPort] = readAddress(local);
      const [remoteHost, remotePort] = readAddress(remote);
      return [{ localHost, localPort, remoteHost, remotePort, listening: state === listenState, inode }];
    });

export const readTcpSockets = async (): Promise<readonly TcpSocket[]> => {
  const tables = await Promise.all(
    // Without IPv6 in the kernel there is no second table.
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "latin1").catch(() => "")),
  );
  return tables.flatMap(parseTcpTable);
};

export type UnixListener = { readonly path: string; readonly inode: string };

const acceptsConnections = 0x1_0000;

export const parseUnixTable = (table: string): readonly UnixListener[] =>
  table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, flags = "", inode = "", path = ""] =
        /^\S+ \S+ \S+ (\S+) \S+ \S+\s+(\d+) (\/.*)$/.exec(line.trimEnd()) ?? [];
      return path !== "" && (Number.parseInt(flags, 16) & acceptsConnections) !== 0 ? [{ path, inode }] : [];
    });

export const readUnixListeners = async (): Promise<readonly UnixListener[]> =>
  parseUnixTable(await readFile("/proc/net/unix", "utf8"));

const foldersAtOnce = 16;

/** Inodes of the sockets that each process holds. Processes of other users are seen by root only; those are not in the map. */
export const readSocketHolders = async (): Promise<ReadonlyMap<number, ReadonlySet<string>>> => {
  const limit = pLimit(foldersAtOnce);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const held = await Promise.all(pids.map((pid) => limit(async () => [pid, await socketsOf(pid)] as const)));
  return new Map(held.flatMap(([pid, sockets]) => (sockets === null ? [] : [[pid, sockets] as const])));
};

const socketsOf = async (pid: number): Promise<ReadonlySet<string> | null> => {
  const folder = `/proc/${pid}/fd`;
  // Ended meanwhile, or another user's.
  const names = await readdir(folder).catch(() => null);
  if (names === null) return null;
  const targets = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => "")));
  return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
};
