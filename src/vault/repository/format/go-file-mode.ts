/** Between the kernel's st_mode and the bits of Go's os.FileMode, which tree blobs hold. */
import { constants } from "node:fs";

export const nodeTypes = ["file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular"] as const;
export type NodeType = (typeof nodeTypes)[number];

const goTypeBits: Readonly<Record<NodeType, number>> = {
  file: 0,
  dir: 2 ** 31,
  symlink: 2 ** 27,
  dev: 2 ** 26,
  chardev: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  irregular: 2 ** 19,
};

const special = [
  { unix: 0o4000, go: 2 ** 23 },
  { unix: 0o2000, go: 2 ** 22 },
  { unix: 0o1000, go: 2 ** 20 },
] as const;

const unixTypes: ReadonlyMap<number, NodeType> = new Map([
  [constants.S_IFREG, "file"],
  [constants.S_IFDIR, "dir"],
  [constants.S_IFLNK, "symlink"],
  [constants.S_IFBLK, "dev"],
  [constants.S_IFCHR, "chardev"],
  [constants.S_IFIFO, "fifo"],
  [constants.S_IFSOCK, "socket"],
]);

export const nodeTypeOf = (unixMode: number): NodeType => unixTypes.get(unixMode & constants.S_IFMT) ?? "irregular";

export const toGoMode = (unixMode: number): number =>
  goTypeBits[nodeTypeOf(unixMode)] +
  (unixMode & 0o777) +
  special.reduce((sum, { unix, go }) => sum + ((unixMode & unix) === 0 ? 0 : go), 0);

/** @returns permission bits with set-uid, set-gid and sticky (0 to 0o7777), without the type */
export const toPermissions = (goMode: number): number =>
  (goMode & 0o777) |
  special.reduce((bits, { unix, go }) => (Math.floor(goMode / go) % 2 === 1 ? bits | unix : bits), 0);

export const goModeOf = (type: NodeType, permissions: number): number =>
  goTypeBits[type] +
  (permissions & 0o777) +
  special.reduce((sum, { unix, go }) => sum + ((permissions & unix) === 0 ? 0 : go), 0);
