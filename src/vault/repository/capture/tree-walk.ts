/**
 * The main thread's side of capturing a local tree: hands folders to the workers depth first, so that few are open at a time, and puts
 * their trees together from the leaves up.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { TaskStack } from "../threads/task-stack.ts";
import type { Thread, ThreadPool } from "../threads/thread-pool.ts";
import {
  type FolderPart,
  type FolderTask,
  type FoundFolder,
  type RootNode,
  type UnsteadyEntry,
  type WalkCounts,
  type WalkStart,
  addCounts,
  noCounts,
} from "./folder-task.ts";

const tasksPerThread = 2;
const emptyTree = Buffer.from('{"nodes":[]}\n');
const comma = Buffer.from(",");

/** Some of a folder's names, which one task takes; it may leave those behind them to others. */
type OpenPart = {
  /** Undefined while it is being read. */
  read: FolderPart | undefined;
  /** In the order of the names, which come after those of this one. */
  readonly behind: OpenPart[];
};

/** A folder whose entries are not all known yet. */
type OpenFolder = {
  readonly path: Uint8Array;
  readonly relative: Uint8Array;
  readonly parentTree: string | null;
  /** Where its id belongs; null for the root. */
  readonly within: { readonly folder: OpenFolder; readonly found: FoundFolder } | null;
  readonly first: OpenPart;
  /** Ids of subtrees; null for one that vanished. */
  readonly subtrees: Map<FoundFolder, string | null>;
  /** Parts and subfolders that are not done. */
  missing: number;
};

type Task = { readonly folder: OpenFolder; readonly part: OpenPart; readonly names: Uint8Array | null };

export type WalkResult = {
  /** JSON of the root's node, with its subtree. */
  readonly node: Uint8Array;
  /** Id of the root's tree; null if the root is no folder. */
  readonly tree: string | null;
  readonly counts: WalkCounts;
  readonly unsteady: readonly UnsteadyEntry[];
};

const joinPath = (folder: Uint8Array, name: Uint8Array): Uint8Array =>
  folder.length === 0 ? name : Buffer.concat([folder, ...(folder.at(-1) === 0x2f ? [] : [Buffer.from("/")]), name]);

export class TreeWalk {
  readonly #pool: ThreadPool;
  readonly #start: WalkStart;
  readonly #signal: AbortSignal;
  readonly #stack: TaskStack<Task>;
  readonly #unsteady: UnsteadyEntry[] = [];
  #counts: WalkCounts = noCounts;
  #device = 0n;
  #rootTree: string | undefined;

  constructor(pool: ThreadPool, start: WalkStart, signal: AbortSignal) {
    this.#pool = pool;
    this.#start = start;
    this.#signal = signal;
    this.#stack = new TaskStack(pool, tasksPerThread, async (task, thread) => this.#perform(task, thread));
  }

  /** @throws RefloatError source.failed, vault.*; the signal's reason */
  async run(): Promise<WalkResult> {
    const cancel = (): void => void this.#tellAll("job-cancel");
    this.#signal.throwIfAborted();
    this.#signal.addEventListener("abort", cancel, { once: true });
    try {
      const root = await this.#pool.leastLoaded().call("walk-begin", this.#start);
      this.#take(root);
      if (root.isFolder) await this.#walkFolders(root);
      const tree = this.#rootTree ?? null;
      return { node: this.#finishedRoot(root), tree, counts: this.#counts, unsteady: this.#unsteady };
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error;
    } finally {
      this.#signal.removeEventListener("abort", cancel);
      await this.#tellAll("job-end");
    }
  }

  async #tellAll(call: "job-end" | "job-cancel"): Promise<void> {
    // A thread that died has nothing to forget, and the walk has failed by it already.
    await Promise.allSettled(this.#pool.started.map((thread) => thread.call(call, { job: this.#start.walk })));
  }

  async #walkFolders(root: RootNode): Promise<void> {
    this.#device = root.device;
    this.#open(this.#start.path, new Uint8Array(), root.parent, null);
    await this.#stack.drained();
  }

  async #perform(task: Task, thread: Thread): Promise<void> {
    const { folder } = task;
    const request: FolderTask = {
      walk: this.#start.walk,
      rules: this.#start.rules,
      device: this.#device,
      path: folder.path,
      relative: folder.relative,
      parent: folder.parentTree,
      names: task.names,
    };
    const part = await thread.call("walk-folder", request);
    this.#take(part);
    task.part.read = part;
    folder.missing += part.rest.length + part.folders.length - 1;
    // The stack is worked off from its end: what comes first by name is pushed last.
    const behind = part.rest.map((names): Task => ({ folder, part: { read: undefined, behind: [] }, names }));
    task.part.behind.push(...behind.map((next) => next.part));
    for (const next of behind.toReversed()) this.#stack.push(next);
    for (const found of part.folders.toReversed()) {
      if (found.closed) await this.#settle(folder, found, await this.#saveTree(emptyTree, thread), thread);
      else {
        this.#open(joinPath(folder.path, found.name), joinPath(folder.relative, found.name), found.parent, {
          folder,
          found,
        });
      }
    }
    await this.#finishIfComplete(folder, thread);
  }

  #open(path: Uint8Array, relative: Uint8Array, parentTree: string | null, within: OpenFolder["within"]): void {
    const first: OpenPart = { read: undefined, behind: [] };
    const folder: OpenFolder = { path, relative, parentTree, within, first, subtrees: new Map(), missing: 1 };
    this.#stack.push({ folder, part: first, names: null });
  }

  async #finishIfComplete(folder: OpenFolder, thread: Thread): Promise<void> {
    if (folder.missing > 0) return;
    const { read } = folder.first;
    let tree: string | null;
    if (read?.found === false) {
      if (folder.within === null) throw new RefloatError("source.failed", "the folder to capture vanished");
      this.#counts = addCounts(this.#counts, { ...noCounts, directories: -1 });
      this.#unsteady.push({ path: Buffer.from(folder.path).toString("utf8"), reason: "vanished" });
      tree = null;
    } else {
      tree = read?.tree ?? (await this.#saveTree(assemble(folder), thread));
    }
    if (folder.within === null) this.#rootTree = tree ?? undefined;
    else await this.#settle(folder.within.folder, folder.within.found, tree, thread);
  }

  async #settle(folder: OpenFolder, found: FoundFolder, tree: string | null, thread: Thread): Promise<void> {
    folder.subtrees.set(found, tree);
    folder.missing -= 1;
    await this.#finishIfComplete(folder, thread);
  }

  async #saveTree(tree: Uint8Array, thread: Thread): Promise<string> {
    const { id, newBytes } = await thread.call("save-blob", { type: "tree", bytes: tree });
    this.#counts = addCounts(this.#counts, { ...noCounts, newBytes });
    return id;
  }

  #take(part: { readonly counts: WalkCounts; readonly unsteady: readonly UnsteadyEntry[] }): void {
    this.#counts = addCounts(this.#counts, part.counts);
    for (const entry of part.unsteady) {
      // Each part of a large folder tells of the same.
      const isTold = entry.reason === "read-anew" && this.#unsteady.some(({ path }) => path === entry.path);
      if (!isTold) this.#unsteady.push(entry);
    }
  }

  #finishedRoot(root: RootNode): Uint8Array {
    if (!root.isFolder) return root.node;
    if (this.#rootTree === undefined) throw new RefloatError("bug", "a walk ended without the tree of its root");
    const node = Buffer.from(root.node);
    node.write(this.#rootTree, root.hole, "latin1");
    return node;
  }
}

function* inOrder(part: OpenPart): Generator<FolderPart | undefined> {
  yield part.read;
  for (const next of part.behind) yield* inOrder(next);
}

/** The folder's tree blob: its parts in order, with the ids of the subtrees put in and vanished folders left out. */
const assemble = (folder: OpenFolder): Buffer => {
  const pieces: Uint8Array[] = [];
  const add = (piece: Uint8Array): void => {
    if (piece.length === 0) return;
    if (pieces.length > 0) pieces.push(comma);
    pieces.push(piece);
  };
  for (const part of inOrder(folder.first)) {
    if (part === undefined) throw new RefloatError("bug", "a folder was put together before all of it was read");
    const nodes = Buffer.from(part.nodes.buffer, part.nodes.byteOffset, part.nodes.length);
    let from = 0;
    for (const found of part.folders) {
      const tree = folder.subtrees.get(found);
      if (tree === undefined) throw new RefloatError("bug", "a folder was put together without one of its subfolders");
      if (tree !== null) {
        nodes.write(tree, found.hole, "latin1");
        continue;
      }
      // Without the comma that follows it, and without the one before.
      add(nodes.subarray(from, Math.max(from, found.start - 1)));
      from = Math.min(found.end + 1, nodes.length);
    }
    add(nodes.subarray(from));
  }
  return Buffer.concat([Buffer.from('{"nodes":['), ...pieces, Buffer.from("]}\n")]);
};
