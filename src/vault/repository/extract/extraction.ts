/**
 * The main thread's side of a restore: opens folders, hands their entries to the workers depth first, makes second names of files, and
 * gives each folder its metadata once all in it is there.
 */
import { closeSync, constants, linkSync, lstatSync, mkdirSync, openSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { ExtractReport, VaultProgress } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { readableText } from "../format/go-text.ts";
import { linkIdOf } from "../format/link-id.ts";
import type { TreeNode } from "../format/tree-node.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { TaskStack } from "../threads/task-stack.ts";
import type { Thread } from "../threads/thread-pool.ts";
import type { ExtractTask, ExtractedPart } from "./extract-task.ts";
import { makeSpecialFile } from "./special-file.ts";
import { applyMetadata, openFolder, pathWithin, targetFailure } from "./target-folder.ts";

const tasksPerThread = 2;

type OpenTarget = {
  readonly fd: number;
  readonly shown: string;
  /** What it shall be like in the end; null for the folder that the target stands in. */
  readonly node: TreeNode | null;
  readonly above: OpenTarget | null;
  /** Tasks and folders inside that are not done. */
  missing: number;
};

type Task =
  | { readonly kind: "entries"; readonly target: OpenTarget; readonly what: ExtractTask["what"] }
  | { readonly kind: "folder"; readonly above: OpenTarget; readonly node: TreeNode }
  | { readonly kind: "link"; readonly target: OpenTarget; readonly node: TreeNode; readonly first: FirstName };

/** The name under which a file with several was written first; the others wait for it. */
type FirstName = { readonly target: OpenTarget; readonly name: Uint8Array; done: boolean; readonly waiting: Task[] };

class Extraction {
  readonly #signal: AbortSignal;
  readonly #job: number;
  readonly #stack: TaskStack<Task>;
  readonly #names = new Map<string, FirstName>();
  readonly #open = new Set<number>();
  readonly #warnings: string[] = [];
  readonly #sum = { files: 0, directories: 0, sizeBytes: 0, ownersLeft: 0, attributesLeft: 0, socketsLeft: 0 };

  constructor(context: RepositoryContext, job: number, signal: AbortSignal) {
    this.#signal = signal;
    this.#job = job;
    this.#stack = new TaskStack(context.pool, tasksPerThread, async (task, thread) => this.#perform(task, thread));
  }

  async run(node: TreeNode, target: string): Promise<ExtractReport> {
    try {
      const parent = openSync(dirname(target), constants.O_RDONLY | constants.O_DIRECTORY);
      this.#open.add(parent);
      const outside: OpenTarget = { fd: parent, shown: dirname(target), node: null, above: null, missing: 1 };
      const renamed = { ...node, name: Buffer.from(basename(target)) };
      refuseExisting(parent, renamed.name, target);
      if (node.type === "dir") {
        mkdirSync(pathWithin(parent, renamed.name), 0o700);
        this.#stack.push({ kind: "folder", above: outside, node: renamed });
      } else {
        // A second name of the file may lie anywhere: alone it is a file like any other.
        this.#stack.push({ kind: "entries", target: outside, what: { kind: "nodes", nodes: [renamed] } });
      }
      await this.#stack.drained();
      return this.#report();
    } finally {
      for (const fd of this.#open) closeSync(fd);
    }
  }

  async #perform(task: Task, thread: Thread): Promise<void> {
    this.#signal.throwIfAborted();
    switch (task.kind) {
      case "folder":
        this.#enter(task.above, task.node);
        return;
      case "entries":
        await this.#extract(task.target, task.what, thread);
        return;
      case "link":
        await this.#link(task, thread);
        return;
    }
  }

  #enter(above: OpenTarget, node: TreeNode): void {
    const shown = `${above.shown === "/" ? "" : above.shown}/${readableText(node.name)}`;
    let fd: number;
    try {
      fd = openFolder(above.fd, node.name);
    } catch (error) {
      throw targetFailure(above.shown, node.name, "entered", error);
    }
    this.#open.add(fd);
    this.#sum.directories += 1;
    if (node.unsupported.length > 0) this.#sum.attributesLeft += 1;
    const target: OpenTarget = { fd, shown, node, above, missing: 1 };
    this.#stack.push({ kind: "entries", target, what: { kind: "tree", tree: node.subtree ?? "", from: 0 } });
  }

  async #extract(target: OpenTarget, what: ExtractTask["what"], thread: Thread): Promise<void> {
    const part = await thread.call("extract-nodes", { job: this.#job, folder: target.fd, shown: target.shown, what });
    this.#add(part);
    const tasks: Task[] = [];
    // Not all at once: threads that make files in one folder only wait for each other.
    if (what.kind === "tree" && part.next !== undefined) {
      tasks.push({ kind: "entries", target, what: { ...what, from: part.next } });
    }
    for (const node of part.folders) tasks.push({ kind: "folder", above: target, node });
    for (const node of part.apart) tasks.push(...this.#apart(target, node));
    target.missing += tasks.length;
    for (const node of part.special) {
      const warning = await makeSpecialFile(target.fd, target.shown, node, this.#signal);
      if (warning !== undefined) this.#warnings.push(warning);
    }
    // The stack is worked off from its end.
    for (const task of tasks.reverse()) this.#stack.push(task);
    if (what.kind === "nodes") for (const node of what.nodes) this.#written(node);
    this.#done(target);
  }

  /** A file of its own task, or one more name for a file that has been or will be written. */
  #apart(target: OpenTarget, node: TreeNode): readonly Task[] {
    const write: Task = { kind: "entries", target, what: { kind: "nodes", nodes: [node] } };
    const key = linkIdOf(node);
    if (key === undefined) return [write];
    const first = this.#names.get(key);
    if (first === undefined) {
      this.#names.set(key, { target, name: node.name, done: false, waiting: [] });
      return [write];
    }
    const link: Task = { kind: "link", target, node, first };
    if (first.done) return [link];
    first.waiting.push(link);
    target.missing += 1;
    return [];
  }

  /** A file was written: its other names can follow. */
  #written(node: TreeNode): void {
    const first = this.#names.get(linkIdOf(node) ?? "");
    if (first === undefined || first.done) return;
    first.done = true;
    for (const link of first.waiting.splice(0)) this.#stack.push(link);
  }

  async #link({ target, node, first }: Extract<Task, { kind: "link" }>, thread: Thread): Promise<void> {
    try {
      // Its folder may be complete and closed by now.
      const folder = reopen(first.target);
      try {
        linkSync(pathWithin(folder, first.name), pathWithin(target.fd, node.name));
      } finally {
        closeSync(folder);
      }
    } catch (error) {
      if (!["EACCES", "EPERM", "EMLINK"].includes((error as NodeJS.ErrnoException).code ?? "")) {
        throw targetFailure(target.shown, node.name, "linked", error);
      }
      this.#warnings.push(
        `${target.shown}/${readableText(node.name)} became a file of its own instead of a link: ${(error as NodeJS.ErrnoException).code}`,
      );
      await this.#extract(target, { kind: "nodes", nodes: [node] }, thread);
      return;
    }
    this.#sum.files += 1;
    this.#sum.sizeBytes += node.sizeBytes;
    this.#done(target);
  }

  /** One thing in the folder is done; with the last it gets its metadata, since each change in it would touch its times. */
  #done(target: OpenTarget): void {
    target.missing -= 1;
    if (target.missing > 0 || target.node === null) return;
    try {
      if (!applyMetadata(target.fd, target.node)) this.#sum.ownersLeft += 1;
    } catch (error) {
      throw targetFailure(target.above?.shown ?? "", target.node.name, "given its mode", error);
    }
    this.#open.delete(target.fd);
    closeSync(target.fd);
    if (target.above !== null) this.#done(target.above);
  }

  #add({ files, sizeBytes, ownersLeft, attributesLeft, socketsLeft }: ExtractedPart): void {
    this.#sum.files += files;
    this.#sum.sizeBytes += sizeBytes;
    this.#sum.ownersLeft += ownersLeft;
    this.#sum.attributesLeft += attributesLeft;
    this.#sum.socketsLeft += socketsLeft;
  }

  #report(): ExtractReport {
    const { files, directories, sizeBytes, ownersLeft, attributesLeft, socketsLeft } = this.#sum;
    const words = [
      ownersLeft > 0 ? `the owner of ${ownersLeft} entries was not set, for want of the right` : "",
      attributesLeft > 0 ? `extended attributes of ${attributesLeft} entries were not restored: unsupported` : "",
      socketsLeft > 0 ? `${socketsLeft} sockets were not restored: the program that listens makes them` : "",
    ];
    return {
      files,
      directories: Math.max(0, directories - 1),
      sizeBytes,
      warnings: [...this.#warnings, ...words.filter((word) => word !== "")],
    };
  }
}

/** A person's mistake, not an attack: told apart from what appears while a restore goes on. */
const refuseExisting = (parent: number, name: Uint8Array, target: string): void => {
  if (lstatSync(pathWithin(parent, name), { throwIfNoEntry: false }) === undefined) return;
  throw new RefloatError("target.failed", `${target} is there already`, {
    context: { path: target },
    state: "nothing was restored",
  });
};

/** Opens a folder of the target again, name by name from the outside, following no link. The caller closes it. */
const reopen = (target: OpenTarget): number => {
  if (target.above === null || target.node === null) return openFolder(target.fd, Buffer.from("."));
  const above = reopen(target.above);
  try {
    return openFolder(above, target.node.name);
  } finally {
    closeSync(above);
  }
};

/** @throws RefloatError path.hostile, target.failed, vault.damaged; the signal's reason */
export const extractTree = async (
  context: RepositoryContext,
  node: TreeNode,
  targetPath: string,
  signal: AbortSignal,
  progress: VaultProgress | undefined,
): Promise<ExtractReport> => {
  signal.throwIfAborted();
  const target = resolve(targetPath);
  const { job, end } = context.pool.beginJob((bytes, items) => progress?.({ bytes, items }));
  const tell = async (call: "job-cancel" | "job-end"): Promise<void> => {
    await Promise.allSettled(context.pool.started.map((thread) => thread.call(call, { job })));
  };
  const cancel = (): void => void tell("job-cancel");
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await new Extraction(context, job, signal).run(node, target);
  } catch (error) {
    signal.throwIfAborted();
    throw targetFailure(dirname(target), Buffer.from(basename(target)), "restored", error);
  } finally {
    signal.removeEventListener("abort", cancel);
    await tell("job-end");
    end();
  }
};
