/**
 * The main thread's side of capturing a local tree: hands folders to the workers depth first, so that few are open at a time, and puts
 * their trees together from the leaves up.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { encodeNode } from "../format/tree-node.ts";
import { TaskStack } from "../threads/task-stack.ts";
import type { Thread, ThreadPool } from "../threads/thread-pool.ts";
import {
  type FolderTask,
  type FoundFile,
  type FoundFolder,
  type RootNode,
  type UnsteadyEntry,
  type WalkCounts,
  type WalkStart,
  addCounts,
  noCounts,
} from "./folder-task.ts";
import { LargeFile, type LargeFileTask } from "./large-file.ts";
import { type OpenFolder, assembleTree } from "./open-folder.ts";

const tasksPerThread = 2;
const emptyTree = Buffer.from('{"nodes":[]}\n');

type Task =
  | { readonly kind: "folder"; readonly folder: OpenFolder; readonly part: number; readonly names: Uint8Array | null }
  | LargeFileTask;

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
  /** Large files that are being read, and where their nodes belong. */
  readonly #large = new Map<LargeFile, { readonly folder: OpenFolder; readonly found: FoundFile }>();
  readonly #told: (bytes: number, items: number) => void;
  #counts: WalkCounts = noCounts;
  #device = 0n;
  #rootTree: string | undefined;

  /** @param told hears of items that no thread reports */
  constructor(pool: ThreadPool, start: WalkStart, told: (bytes: number, items: number) => void, signal: AbortSignal) {
    this.#pool = pool;
    this.#told = told;
    this.#start = start;
    this.#signal = signal;
    this.#stack = new TaskStack(pool.threads, tasksPerThread, async (task, thread) => this.#perform(task, thread));
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
      for (const file of this.#large.keys()) file.close();
      await this.#tellAll("job-end");
    }
  }

  async #tellAll(call: "job-end" | "job-cancel"): Promise<void> {
    // A thread that died has nothing to forget, and the walk has failed by it already.
    await Promise.allSettled(this.#pool.threads.map((thread) => thread.call(call, { job: this.#start.walk })));
  }

  async #walkFolders(root: RootNode): Promise<void> {
    this.#device = root.device;
    this.#open(this.#start.path, new Uint8Array(), root.parent, null);
    await this.#stack.drained();
  }

  async #perform(task: Task, thread: Thread): Promise<void> {
    if (task.kind === "folder") await this.#capture(task, thread);
    else await this.#share(task, thread);
  }

  async #capture(task: Extract<Task, { kind: "folder" }>, thread: Thread): Promise<void> {
    const { folder } = task;
    const request: FolderTask = {
      walk: this.#start.walk,
      rules: this.#start.rules,
      device: this.#device,
      splitLarge: this.#pool.threads.length > 1,
      path: folder.path,
      relative: folder.relative,
      parent: folder.parentTree,
      names: task.names,
    };
    const part = await thread.call("walk-folder", request);
    this.#take(part);
    folder.parts[task.part] = part;
    folder.missing += part.rest.length + part.folders.length + part.files.length - 1;
    // The stack is worked off from its end: what comes first by name is pushed last.
    for (const [index, names] of [...part.rest.entries()].reverse()) {
      folder.parts[task.part + 1 + index] = undefined;
      this.#stack.push({ kind: "folder", folder, part: task.part + 1 + index, names });
    }
    for (const found of part.folders.toReversed()) {
      if (found.closed) await this.#settle(folder, found, await this.#saveTree(emptyTree, thread), thread);
      else {
        this.#open(joinPath(folder.path, found.name), joinPath(folder.relative, found.name), found.parent, {
          folder,
          found,
        });
      }
    }
    for (const found of part.files.toReversed()) this.#begin(folder, found);
    await this.#finishIfComplete(folder, thread);
  }

  #begin(folder: OpenFolder, found: FoundFile): void {
    const path = joinPath(folder.path, found.node.name);
    const file = new LargeFile(path, found.node, this.#start.walk, (task) => this.#stack.push(task));
    this.#large.set(file, { folder, found });
    this.#stack.push({ kind: "scan", file });
  }

  async #share(task: LargeFileTask, thread: Thread): Promise<void> {
    const { file } = task;
    const result = await file.perform(task, thread);
    const home = this.#large.get(file);
    if (result === undefined || home === undefined) return;
    this.#large.delete(file);
    const { folder, found } = home;
    const shown = Buffer.from(file.path).toString("utf8");
    if (result === "vanished") {
      this.#unsteady.push({ path: shown, reason: "vanished" });
      folder.files.set(found, null);
    } else {
      const { content, sizeBytes, newBytes, changed } = result;
      if (changed) this.#unsteady.push({ path: shown, reason: "changed" });
      const newestNs = file.node.modifiedNs;
      this.#counts = addCounts(this.#counts, { ...noCounts, files: 1, sizeBytes, newBytes, newestNs });
      folder.files.set(found, Buffer.from(encodeNode({ ...file.node, content, sizeBytes })));
      this.#told(0, 1);
    }
    folder.missing -= 1;
    await this.#finishIfComplete(folder, thread);
  }

  #open(path: Uint8Array, relative: Uint8Array, parentTree: string | null, within: OpenFolder["within"]): void {
    const folder: OpenFolder = {
      path,
      relative,
      parentTree,
      within,
      parts: [undefined],
      subtrees: new Map(),
      files: new Map(),
      missing: 1,
    };
    this.#stack.push({ kind: "folder", folder, part: 0, names: null });
  }

  async #finishIfComplete(folder: OpenFolder, thread: Thread): Promise<void> {
    if (folder.missing > 0) return;
    const [only] = folder.parts;
    let tree: string | null;
    if (only?.found === false) {
      if (folder.within === null) throw new RefloatError("source.failed", "the folder to capture vanished");
      this.#counts = addCounts(this.#counts, { ...noCounts, directories: -1 });
      this.#unsteady.push({ path: Buffer.from(folder.path).toString("utf8"), reason: "vanished" });
      tree = null;
    } else {
      tree = only?.tree ?? (await this.#saveTree(assembleTree(folder), thread));
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
    const { id, newBytes } = await thread.call("save-tree", { tree });
    this.#counts = addCounts(this.#counts, { ...noCounts, newBytes });
    return id;
  }

  #take(part: { readonly counts: WalkCounts; readonly unsteady: readonly UnsteadyEntry[] }): void {
    this.#counts = addCounts(this.#counts, part.counts);
    this.#unsteady.push(...part.unsteady);
  }

  #finishedRoot(root: RootNode): Uint8Array {
    if (!root.isFolder) return root.node;
    if (this.#rootTree === undefined) throw new RefloatError("bug", "a walk ended without the tree of its root");
    const node = Buffer.from(root.node);
    node.write(this.#rootTree, root.hole, "latin1");
    return node;
  }
}
