/** Captures folders in a worker thread: lists, compares with the parent snapshot, reads what changed, makes the nodes. */
import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobSource } from "../blobs/blob-reader.ts";
import { readableText } from "../format/go-text.ts";
import { compareNames, encodeTree } from "../format/tree-node.ts";
import type { BlobSaver } from "./blob-saver.ts";
import { EntryCapture, type EntryRules, type Pause, hasCode, unreadable } from "./entry-capture.ts";
import { type ExcludeRules, compileExcludes } from "./exclude-rules.ts";
import type { FileCapture } from "./file-capture.ts";
import {
  type FolderPart,
  type FolderTask,
  type FoundFolder,
  type RootNode,
  type WalkRules,
  type WalkStart,
  addCounts,
  noCounts,
} from "./folder-task.ts";
import { readOwnerNames } from "./owner-names.ts";
import { ParentFolder, isUnreadableParent } from "./parent-folder.ts";

/** Names that one task takes: a folder with more is shared between the threads. */
const namesPerTask = 1024;
/** From this size on a file that has to be read is a task of its own: what comes after it need not wait for it. */
const largeFileBytes = 64 * 1024 * 1024;
const slash = 0x2f;
/** As long as names may be on common file systems. */
const usualNameBytes = 255;
/** `"}` follows the subtree's id at the end of a folder's node. */
const holeFromEnd = 66;

/** The folder in the parent snapshot; undefined is the answer to everything where there is none, or what there is cannot be read. */
type AskedParent = { readonly ask: <Answer>(look: (parent: ParentFolder) => Answer | undefined) => Answer | undefined };

type Walk = EntryRules & { readonly excludes: ExcludeRules | undefined };

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** Puts names behind a folder's path, always in the same memory: valid until the next one. */
const joinTo = (folder: Uint8Array): ((name: Uint8Array) => Buffer) => {
  const head = folder.length === 0 || folder.at(-1) === slash ? [folder] : [folder, Buffer.of(slash)];
  const begin = head.reduce((sum, { length }) => sum + length, 0);
  let room = Buffer.concat(head, begin + usualNameBytes);
  return (name) => {
    const end = begin + name.length;
    if (end > room.length) room = Buffer.concat([room.subarray(0, begin)], end);
    room.set(name, begin);
    return room.subarray(0, end);
  };
};

const packNames = (names: readonly Uint8Array[]): Uint8Array => {
  const nul = Buffer.of(0);
  return Buffer.concat(names.flatMap((name) => [name, nul]));
};

const unpackNames = (packed: Uint8Array): Buffer[] => {
  const bytes = buffer(packed);
  const names: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    names.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return names;
};

export class FolderCapture {
  readonly #saver: BlobSaver;
  readonly #blobs: BlobSource;
  readonly #files: FileCapture;
  readonly #walks = new Map<number, Walk>();
  /** The last one stays: the tasks of a large folder follow each other. */
  #parent: ParentFolder | undefined;

  constructor(saver: BlobSaver, blobs: BlobSource, files: FileCapture) {
    this.#saver = saver;
    this.#blobs = blobs;
    this.#files = files;
  }

  async begin(start: WalkStart, pause: Pause): Promise<RootNode> {
    let stats: BigIntStats;
    try {
      stats = lstatSync(buffer(start.path), { bigint: true });
    } catch (error) {
      throw unreadable(start.path, error);
    }
    const walk = this.#walk(start.walk, start.rules);
    const entry = new EntryCapture(walk, this.#saver, this.#files, pause);
    const parent = await this.#openParent(start.parentFolder, () => entry.tellReadAnew(start.path));
    const before = parent.ask((folder) => folder.find(start.name));
    const node = await entry.capture(buffer(start.path), start.name, stats, before);
    if (node === undefined) {
      throw new RefloatError("source.failed", `${readableText(start.path)} vanished while it was read`, {
        context: { path: readableText(start.path) },
      });
    }
    await entry.tell();
    const bytes = Buffer.from(node);
    return {
      isFolder: stats.isDirectory(),
      device: stats.dev,
      parent: before?.subtree ?? null,
      node: bytes,
      hole: bytes.length - holeFromEnd,
      counts: entry.counts,
      unsteady: entry.unsteady,
    };
  }

  end(walk: number): void {
    this.#walks.delete(walk);
    this.#parent = undefined;
  }

  async capture(task: FolderTask, pause: Pause): Promise<FolderPart> {
    const walk = this.#walk(task.walk, task.rules);
    const path = buffer(task.path);
    const all = task.names === null ? this.#list(path) : unpackNames(task.names);
    if (all === undefined) return gone;
    const names = all.slice(0, namesPerTask);
    const rest: Uint8Array[] = [];

    const entry = new EntryCapture(walk, this.#saver, this.#files, pause);
    const parent = await this.#openParent(task.parent, () => entry.tellReadAnew(path));
    const nodes: string[] = [];
    const folders: FoundFolder[] = [];
    let length = 0;
    const pathOf = joinTo(path);
    const relativeOf = joinTo(task.relative);
    const add = (node: string): number => {
      const start = length + (nodes.length > 0 ? 1 : 0);
      length = start + Buffer.byteLength(node);
      nodes.push(node);
      return start;
    };
    for (const [index, name] of names.entries()) {
      const entryPath = pathOf(name);
      const stats = entry.look(entryPath);
      if (stats === undefined || walk.excludes?.excludes(relativeOf(name), stats.isDirectory()) === true) continue;
      const same = parent.ask((folder) => entry.takeSame(name, stats, folder));
      if (same !== undefined) {
        add(same);
        if (entry.isDue) await entry.tell();
        continue;
      }
      const before = parent.ask((folder) => folder.find(name));
      if (names.length > 1 && stats.size >= largeFileBytes && entry.wouldRead(stats, before)) {
        rest.push(packNames([name]));
        if (index + 1 < names.length) rest.push(packNames(names.slice(index + 1)));
        break;
      }
      const node = await entry.capture(entryPath, name, stats, before);
      if (node === undefined) continue;
      const start = add(node);
      if (stats.isDirectory()) {
        const closed = task.rules.oneFileSystem && stats.dev !== task.device;
        const subtree = before?.type === "dir" ? (before.subtree ?? null) : null;
        folders.push({ name, start, end: length, hole: length - holeFromEnd, parent: subtree, closed });
      }
    }
    await entry.tell();
    for (let at = namesPerTask; at < all.length; at += namesPerTask)
      rest.push(packNames(all.slice(at, at + namesPerTask)));
    const { unsteady } = entry;
    const base = { found: true, folders, rest, unsteady };
    if (task.names !== null || rest.length > 0 || folders.length > 0) {
      return { ...base, nodes: Buffer.from(nodes.join(",")), tree: null, counts: entry.counts };
    }
    const saved = this.#saver.save(encodeTree(nodes), "tree");
    const counts = addCounts(entry.counts, { ...noCounts, newBytes: saved.newBytes });
    return { ...base, nodes: new Uint8Array(), tree: saved.id, counts };
  }

  /** Compiled once for each walk and thread. */
  #walk(number: number, rules: WalkRules): Walk {
    let walk = this.#walks.get(number);
    if (walk === undefined) {
      const { exclude, doubtedFromNs, pages } = rules;
      walk = { excludes: compileExcludes(exclude), owners: readOwnerNames(), doubtedFromNs, pages };
      this.#walks.set(number, walk);
    }
    return walk;
  }

  /** @returns names in the order of their bytes; undefined if the folder is gone */
  #list(path: Buffer): Buffer[] | undefined {
    try {
      return readdirSync(path, { encoding: "buffer" }).sort(compareNames);
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
      throw unreadable(path, error);
    }
  }

  /** @param unreadable told once if it is damaged or malformed; from then on it has nothing to say */
  async #openParent(id: string | null, unreadable: () => void): Promise<AskedParent> {
    let parent: ParentFolder | undefined;
    const giveUp = (error: unknown): undefined => {
      if (!isUnreadableParent(error)) throw error;
      parent = undefined;
      this.#parent = undefined;
      unreadable();
    };
    try {
      if (id !== null && this.#parent?.id === id) this.#parent.rewind();
      else if (id !== null) this.#parent = new ParentFolder(await this.#blobs.read(id, "tree"), id);
      parent = id === null ? undefined : this.#parent;
    } catch (error) {
      giveUp(error);
    }
    return {
      ask: (look) => {
        if (parent === undefined) return undefined;
        try {
          return look(parent);
        } catch (error) {
          return giveUp(error);
        }
      },
    };
  }
}

const gone: FolderPart = {
  found: false,
  nodes: new Uint8Array(),
  folders: [],
  rest: [],
  tree: null,
  counts: noCounts,
  unsteady: [],
};
