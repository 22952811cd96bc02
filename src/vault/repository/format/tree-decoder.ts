/**
 * Reads a tree blob node by node, so that a folder of a million entries is never a million objects. The bytes were authenticated
 * and hashed; what does not fit the format all the same is damage, told with the tree's id.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { type NodeType, nodeTypes } from "./go-file-mode.ts";
import { goUnquote, readableText } from "./go-text.ts";
import { parseGoTime } from "./go-time.ts";
import { type TreeNode, isSafeName } from "./tree-node.ts";

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const closeBracket = 0x5d;

const malformed = (treeId: string, what: string): RefloatError =>
  new RefloatError("vault.damaged", `the tree ${treeId.slice(0, 8)} is not of the format: ${what}`, {
    context: { tree: treeId },
  });

/** Between two nodes: where the next one begins, or where the list (or, without a list, the tree) ends. */
const isStop = (byte: number | undefined): boolean =>
  byte === openBrace || byte === closeBracket || byte === closeBrace;

/** Past the end of the object that begins at `from`. */
const objectEnd = (bytes: Uint8Array, from: number): number => {
  let depth = 0;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === quote) {
      at += 1;
      while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
    } else if (byte === openBrace) depth += 1;
    else if (byte === closeBrace) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
};

type RawNode = Readonly<Record<string, unknown>>;

/** Integers above 2^53 lose their last digits in JSON.parse, so those are read from the text. */
const exactInteger = (text: string, key: string, parsed: unknown): bigint | undefined => {
  if (parsed === undefined) return 0n;
  if (typeof parsed !== "number") return undefined;
  if (Number.isSafeInteger(parsed)) return BigInt(parsed);
  const digits = new RegExp(`"${key}":(\\d+)`).exec(text)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
};

const unsignedNumber = (parsed: unknown): number | undefined =>
  parsed === undefined ? 0 : typeof parsed === "number" && parsed >= 0 && Number.isInteger(parsed) ? parsed : undefined;

const hexId = /^[0-9a-f]{64}$/;

const blobIds = (parsed: unknown): readonly string[] | null | undefined => {
  if (parsed === null || parsed === undefined) return null;
  if (!Array.isArray(parsed)) return undefined;
  return parsed.every((id) => typeof id === "string" && hexId.test(id)) ? (parsed as string[]) : undefined;
};

const textOf = (parsed: unknown): string => (typeof parsed === "string" ? parsed : "");

const timeOf = (parsed: unknown): bigint | undefined => (parsed === undefined ? 0n : parseGoTime(textOf(parsed)));

const linkTargetOf = (raw: RawNode): Buffer => {
  const bytes = raw["linktarget_raw"];
  return typeof bytes === "string" ? Buffer.from(bytes, "base64") : Buffer.from(textOf(raw["linktarget"]), "utf8");
};

const unsupportedKeys = ["extended_attributes", "generic_attributes"] as const;
const nothing: readonly string[] = [];

/** @param text of the node, for numbers that the parsed form has not exactly */
const nodeOf = (raw: RawNode, text: string, treeId: string): TreeNode => {
  const require = <Value>(value: Value | undefined, key: string): Value => {
    if (value === undefined) throw malformed(treeId, `${key} of ${String(raw["name"])}`);
    return value;
  };
  const name = require(typeof raw["name"] === "string" ? goUnquote(raw["name"]) : undefined, "name");
  if (!isSafeName(name)) {
    throw new RefloatError("path.hostile", `the vault holds an entry named ${JSON.stringify(readableText(name))}`, {
      context: { tree: treeId },
    });
  }
  const type = require(nodeTypes.find((known) => known === raw["type"]), "type") satisfies NodeType;
  const subtree = raw["subtree"];
  if (type === "dir") require(typeof subtree === "string" && hexId.test(subtree) ? true : undefined, "subtree");
  const modifiedNs = require(timeOf(raw["mtime"]), "mtime");
  const node: TreeNode = {
    name,
    type,
    goMode: require(unsignedNumber(raw["mode"]), "mode"),
    modifiedNs,
    // restic sets it to the former unless it is asked for more.
    accessedNs: raw["atime"] === raw["mtime"] ? modifiedNs : require(timeOf(raw["atime"]), "atime"),
    changedNs: require(timeOf(raw["ctime"]), "ctime"),
    uid: require(unsignedNumber(raw["uid"]), "uid"),
    gid: require(unsignedNumber(raw["gid"]), "gid"),
    user: textOf(raw["user"]),
    group: textOf(raw["group"]),
    inode: require(exactInteger(text, "inode", raw["inode"]), "inode"),
    deviceId: require(exactInteger(text, "device_id", raw["device_id"]), "device_id"),
    sizeBytes: require(unsignedNumber(raw["size"]), "size"),
    links: require(unsignedNumber(raw["links"]), "links"),
    device: require(exactInteger(text, "device", raw["device"]), "device"),
    content: require(blobIds(raw["content"]), "content"),
    unsupported: unsupportedKeys.some((key) => raw[key] !== undefined)
      ? unsupportedKeys.filter((key) => raw[key] !== undefined)
      : nothing,
  };
  if (type === "file") return node;
  return {
    ...node,
    ...(type === "symlink" ? { linkTarget: linkTargetOf(raw) } : {}),
    ...(typeof subtree === "string" ? { subtree } : {}),
  };
};

/** Goes through the nodes of a tree, and can begin where another one has stopped. */
export class TreeCursor {
  readonly #blob: Buffer;
  readonly #treeId: string;
  #at: number;

  /** @param position of an earlier cursor over the same blob; 0 for the beginning @throws RefloatError vault.damaged */
  constructor(blob: Buffer, treeId: string, position = 0) {
    this.#blob = blob;
    this.#treeId = treeId;
    this.#at = position > 0 ? position : this.#beginning();
    this.#skip();
  }

  /** Byte at which the next node begins; undefined after the last one. */
  get position(): number | undefined {
    return this.#blob[this.#at] === openBrace ? this.#at : undefined;
  }

  /** @param position past the end of a node that was read otherwise @throws RefloatError vault.damaged */
  seek(position: number): void {
    this.#at = position;
    this.#skip();
  }

  /** @returns undefined after the last one @throws RefloatError vault.damaged, path.hostile */
  next(): TreeNode | undefined {
    const from = this.position;
    if (from === undefined) return undefined;
    const end = objectEnd(this.#blob, from);
    if (end === -1) throw malformed(this.#treeId, "it ends too early");
    const node = this.#decode(this.#blob.toString("utf8", from, end));
    this.#at = end;
    this.#skip();
    return node;
  }

  #decode(text: string): TreeNode {
    try {
      return nodeOf(JSON.parse(text) as RawNode, text, this.#treeId);
    } catch (error) {
      if (error instanceof RefloatError) throw error;
      throw malformed(this.#treeId, "a node is no JSON");
    }
  }

  /** To the next node or to the end of the list. */
  #skip(): void {
    const blob = this.#blob;
    while (this.#at < blob.length && !isStop(blob[this.#at])) this.#at += 1;
    if (this.#at >= blob.length) throw malformed(this.#treeId, "it ends too early");
  }

  #beginning(): number {
    const text = this.#blob.toString("latin1", 0, 64);
    const head = /^\s*\{\s*"nodes"\s*:\s*\[/.exec(text) ?? /^\s*\{\s*"nodes"\s*:\s*null\s*(?=\})/.exec(text);
    if (head === null) throw malformed(this.#treeId, "no list of nodes");
    return head[0].length;
  }
}

/** So much of a tree is parsed at once: one call for each node would take longer than the parsing. */
const windowBytes = 16 * 1024;
/** Cannot stand in a string of JSON, where a quote has a backslash before it. */
const betweenNodes = '},{"name":"';

/**
 * The nodes from a position on, as many as a window holds.
 * @returns undefined where that cannot be told without looking at each: the last ones, longer ones, lists within a node, large numbers
 */
const parseWindow = (
  blob: Buffer,
  from: number,
): { readonly nodes: readonly RawNode[]; readonly next: number } | undefined => {
  const last = blob.lastIndexOf(betweenNodes, from + windowBytes);
  if (last <= from) return undefined;
  let nodes: readonly RawNode[];
  try {
    nodes = JSON.parse(`[${blob.toString("utf8", from, last + 1)}]`) as readonly RawNode[];
  } catch {
    return undefined;
  }
  const isExact = (number: unknown): boolean => number === undefined || Number.isSafeInteger(number);
  const areExact = nodes.every((raw) => isExact(raw["inode"]) && isExact(raw["device_id"]) && isExact(raw["device"]));
  return areExact ? { nodes, next: last + 2 } : undefined;
};

/** @throws RefloatError vault.damaged, path.hostile */
export function* decodeTree(blob: Buffer, treeId: string): Generator<TreeNode> {
  const cursor = new TreeCursor(blob, treeId);
  for (;;) {
    const from = cursor.position;
    if (from === undefined) return;
    const window = parseWindow(blob, from);
    if (window === undefined) {
      // As far as the window would have been.
      for (let at = cursor.position; at !== undefined && at < from + windowBytes; at = cursor.position) {
        const node = cursor.next();
        if (node !== undefined) yield node;
      }
      continue;
    }
    for (const raw of window.nodes) yield nodeOf(raw, "", treeId);
    cursor.seek(window.next);
  }
}
