/**
 * A large file, shared by the worker threads: one looks where its chunks end while others store those that were found. The main thread
 * holds the descriptor, so all read the same file even if another takes its name.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import type { TreeNode } from "../format/tree-node.ts";
import type { Thread } from "../threads/thread-pool.ts";
import { hasCode, unreadable } from "./entry-capture.ts";

/** How far one look goes; more than the greatest chunk. */
const scanBytes = 48 * 1024 * 1024;
/** Chunks are stored in groups of about this size, so that a call costs little beside its work. */
const groupBytes = 8 * 1024 * 1024;
/** Groups that wait to be stored: what was looked at is then still in the system's cache when it is read again. */
const mostWaiting = 6;

type Group = { readonly from: number; readonly lengths: readonly number[]; ids: readonly string[] };

export type LargeFileTask =
  | { readonly kind: "scan"; readonly file: LargeFile }
  | { readonly kind: "store"; readonly file: LargeFile; readonly group: Group };

export type LargeFileResult = {
  readonly content: readonly string[];
  readonly sizeBytes: number;
  readonly newBytes: number;
  readonly changed: boolean;
};

const groupsOf = (from: number, lengths: readonly number[]): readonly Group[] => {
  const groups: { from: number; lengths: number[]; ids: readonly string[] }[] = [];
  let at = from;
  let room = 0;
  for (const length of lengths) {
    if (room <= 0) {
      groups.push({ from: at, lengths: [], ids: [] });
      room = groupBytes;
    }
    groups.at(-1)?.lengths.push(length);
    at += length;
    room -= length;
  }
  return groups;
};

export class LargeFile {
  readonly path: Uint8Array;
  readonly node: TreeNode;
  readonly #job: number;
  readonly #push: (task: LargeFileTask) => void;
  readonly #groups: Group[] = [];
  #fd: number | undefined;
  #scannedTo = 0;
  #atEnd = false;
  #waiting = 0;
  #scanning = true;
  #sizeBytes = 0;
  #newBytes = 0;

  /**
   * @param node as the folder saw it
   * @param push gives a further task to the threads; the first one is to scan
   */
  constructor(path: Uint8Array, node: TreeNode, job: number, push: (task: LargeFileTask) => void) {
    this.path = path;
    this.node = node;
    this.#job = job;
    this.#push = push;
  }

  /**
   * @returns "vanished" if it was gone when it was to be opened; undefined while there is more to do
   * @throws RefloatError source.failed
   */
  async perform(task: LargeFileTask, thread: Thread): Promise<LargeFileResult | "vanished" | undefined> {
    if (this.#fd === undefined && !this.#open()) return "vanished";
    const fd = this.#fd ?? -1;
    if (task.kind === "scan") await this.#scan(fd, thread);
    else await this.#store(fd, task.group, thread);
    if (!this.#atEnd && !this.#scanning && this.#waiting < mostWaiting) {
      this.#scanning = true;
      this.#push({ kind: "scan", file: this });
    }
    return this.#atEnd && this.#waiting === 0 ? this.#finished(fd) : undefined;
  }

  /** Safe more than once. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): boolean {
    try {
      // A fifo that took the file's place would block for ever.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const { buffer, byteOffset, length } = this.path;
      this.#fd = openSync(Buffer.from(buffer, byteOffset, length), flags);
      return fstatSync(this.#fd).isFile();
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO")) return false;
      throw unreadable(this.path, error);
    }
  }

  async #scan(fd: number, thread: Thread): Promise<void> {
    const from = this.#scannedTo;
    const { lengths, atEnd } = await thread.call("scan-content", {
      job: this.#job,
      fd,
      from,
      bytes: scanBytes,
      path: this.path,
    });
    const groups = groupsOf(from, lengths);
    this.#scannedTo = lengths.reduce((sum, length) => sum + length, from);
    this.#atEnd = atEnd;
    this.#scanning = false;
    this.#waiting += groups.length;
    this.#groups.push(...groups);
    for (const group of groups.toReversed()) this.#push({ kind: "store", file: this, group });
  }

  async #store(fd: number, group: Group, thread: Thread): Promise<void> {
    const { from, lengths } = group;
    const stored = await thread.call("store-content", { job: this.#job, fd, from, lengths, path: this.path });
    group.ids = stored.ids;
    this.#sizeBytes += stored.sizeBytes;
    this.#newBytes += stored.newBytes;
    this.#waiting -= 1;
  }

  #finished(fd: number): LargeFileResult {
    const after = fstatSync(fd, { bigint: true });
    this.close();
    return {
      content: this.#groups.flatMap(({ ids }) => ids),
      sizeBytes: this.#sizeBytes,
      newBytes: this.#newBytes,
      changed:
        this.#sizeBytes !== this.#scannedTo ||
        after.size !== BigInt(this.#sizeBytes) ||
        after.mtimeNs !== this.node.modifiedNs ||
        after.ino !== this.node.inode,
    };
  }
}
