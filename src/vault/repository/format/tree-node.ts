/** One entry of a tree blob, and its JSON exactly as restic writes it. */
import { goJsonBytes, goJsonString, goQuote, isUtf8 } from "./go-text.ts";
import { formatGoTime } from "./go-time.ts";
import type { NodeType } from "./go-file-mode.ts";

export type TreeNode = {
  /** As it stands in the folder: any bytes but `/` and NUL. */
  readonly name: Uint8Array;
  readonly type: NodeType;
  /** Bits of Go's os.FileMode. */
  readonly goMode: number;
  readonly modifiedNs: bigint;
  readonly accessedNs: bigint;
  readonly changedNs: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly inode: bigint;
  readonly deviceId: bigint;
  readonly sizeBytes: number;
  readonly links: number;
  readonly linkTarget?: Uint8Array;
  /** Of device files. */
  readonly device: bigint;
  /** Ids of a file's blobs in order, hex; null for what is no file. */
  readonly content: readonly string[] | null;
  /** Id of a directory's tree, hex. */
  readonly subtree?: string;
  /** What the program that wrote it kept beyond this: names of extended attributes, for a word about what is not restored. */
  readonly unsupported: readonly string[];
};

const optional = (key: string, value: string | number | bigint): string =>
  value === 0 || value === 0n || value === ""
    ? ""
    : `,"${key}":${typeof value === "string" ? goJsonString(value) : value}`;

const linkTarget = (target: Uint8Array | undefined): string => {
  if (target === undefined || target.length === 0) return "";
  const raw = isUtf8(target) ? "" : `,"linktarget_raw":"${Buffer.from(target).toString("base64")}"`;
  return `,"linktarget":${goJsonBytes(target)}${raw}`;
};

const content = (ids: readonly string[] | null): string =>
  ids === null ? "null" : ids.length === 0 ? "[]" : `["${ids.join('","')}"]`;

/** The JSON of a node up to its content: all that lstat tells. Members in the order of restic's struct; those that are empty there are left out. */
export const encodeNodeHead = (node: TreeNode): string =>
  `{"name":${goJsonString(goQuote(node.name))},"type":"${node.type}"${optional("mode", node.goMode)}` +
  `,"mtime":"${formatGoTime(node.modifiedNs)}","atime":"${formatGoTime(node.accessedNs)}"` +
  `,"ctime":"${formatGoTime(node.changedNs)}","uid":${node.uid},"gid":${node.gid}` +
  `${optional("user", node.user)}${optional("group", node.group)}${optional("inode", node.inode)}` +
  `${optional("device_id", node.deviceId)}${optional("size", node.sizeBytes)}` +
  `${node.type === "dir" ? "" : optional("links", node.links)}${linkTarget(node.linkTarget)}` +
  `${optional("device", node.device)},"content":`;

export const encodeNode = (node: TreeNode): string =>
  `${encodeNodeHead(node)}${content(node.content)}${node.subtree === undefined ? "" : `,"subtree":"${node.subtree}"`}}`;

/** A whole tree blob from the JSON of its nodes, sorted by the bytes of their names. */
export const encodeTree = (nodes: readonly string[]): Buffer => Buffer.from(`{"nodes":[${nodes.join(",")}]}\n`);

/** Order of names in a tree: raw bytes. */
export const compareNames = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

export const isSafeName = (name: Uint8Array): boolean =>
  name.length > 0 &&
  !name.includes(0x2f) &&
  !name.includes(0) &&
  !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
