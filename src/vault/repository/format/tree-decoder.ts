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

const malformed = (treeId: string, what: string): RefloatError =>
  new RefloatError("vault.damaged", `the tree ${treeId.slice(0, 8)} is not of the format: ${what}`, {
    context: { tree: treeId },
  });

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

const decodeNode = (text: string, treeId: string): TreeNode => {
  const raw = JSON.parse(text) as Record<string, unknown>;
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
  const textOf = (key: string): string => (typeof raw[key] === "string" ? raw[key] : "");
  const time = (key: string): bigint => (raw[key] === undefined ? 0n : require(parseGoTime(textOf(key)), key));
  const rawTarget = raw["linktarget_raw"];
  const target =
    typeof rawTarget === "string" ? Buffer.from(rawTarget, "base64") : Buffer.from(textOf("linktarget"), "utf8");
  const subtree = raw["subtree"];
  if (type === "dir") require(typeof subtree === "string" && hexId.test(subtree) ? true : undefined, "subtree");
  const modifiedNs = time("mtime");
  return {
    name,
    type,
    goMode: require(unsignedNumber(raw["mode"]), "mode"),
    modifiedNs,
    // restic sets it to the former unless it is asked for more.
    accessedNs: raw["atime"] === raw["mtime"] ? modifiedNs : time("atime"),
    changedNs: time("ctime"),
    uid: require(unsignedNumber(raw["uid"]), "uid"),
    gid: require(unsignedNumber(raw["gid"]), "gid"),
    user: textOf("user"),
    group: textOf("group"),
    inode: require(exactInteger(text, "inode", raw["inode"]), "inode"),
    deviceId: require(exactInteger(text, "device_id", raw["device_id"]), "device_id"),
    sizeBytes: require(unsignedNumber(raw["size"]), "size"),
    links: require(unsignedNumber(raw["links"]), "links"),
    device: require(exactInteger(text, "device", raw["device"]), "device"),
    content: require(blobIds(raw["content"]), "content"),
    unsupported: ["extended_attributes", "generic_attributes"].filter((key) => raw[key] !== undefined),
    ...(type === "symlink" ? { linkTarget: target } : {}),
    ...(typeof subtree === "string" ? { subtree } : {}),
  };
};

/** @throws RefloatError vault.damaged, path.hostile */
export function* decodeTree(blob: Buffer, treeId: string): Generator<TreeNode> {
  const head = /^\s*\{\s*"nodes"\s*:\s*\[/.exec(blob.toString("latin1", 0, 64));
  if (head === null) {
    if (/^\s*\{\s*"nodes"\s*:\s*null\s*\}/.test(blob.toString("latin1", 0, 64))) return;
    throw malformed(treeId, "no list of nodes");
  }
  for (let at = head[0].length; ;) {
    while (at < blob.length && blob[at] !== openBrace && blob[at] !== 0x5d) at += 1;
    if (blob[at] === 0x5d) return;
    const end = objectEnd(blob, at);
    if (end === -1) throw malformed(treeId, "it ends too early");
    let node: TreeNode;
    try {
      node = decodeNode(blob.toString("utf8", at, end), treeId);
    } catch (error) {
      if (error instanceof RefloatError) throw error;
      throw malformed(treeId, "a node is no JSON");
    }
    yield node;
    at = end;
  }
}
