/** Reads one snapshot: looks up, lists, streams, extracts. Every byte handed out was verified first. */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type {
  ExtractReport,
  SnapshotInfo,
  SnapshotReader,
  TreeEntry,
  VaultProgress,
} from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { pathNames } from "../capture/snapshot-layout.ts";
import { extractTree } from "../extract/extraction.ts";
import type { StoredSnapshot } from "../format/snapshot-file.ts";
import { decodeTree } from "../format/tree-decoder.ts";
import type { TreeNode } from "../format/tree-node.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { readContent } from "./content-reader.ts";
import { namingPath } from "./naming-path.ts";
import { childPath, entryOf } from "./tree-entry.ts";
import { findFolder, findInTree, rootNode } from "./tree-finder.ts";

const mostBytesAtOnce = 64 * 1024 * 1024;
const noPath = Buffer.alloc(0);

class RepositorySnapshotReader implements SnapshotReader {
  readonly info: SnapshotInfo;
  readonly #context: RepositoryContext;
  readonly #root: string;

  constructor(context: RepositoryContext, info: StoredSnapshot) {
    this.#context = context;
    this.#root = info.tree;
    this.info = info;
  }

  async stat(path: string): Promise<TreeEntry | undefined> {
    const found = await this.#find(path);
    return found === undefined ? undefined : entryOf(found.node, found.rawPath);
  }

  async *list(path: string, options: { readonly recursive: boolean }): AsyncGenerator<TreeEntry> {
    const names = pathNames(path).map((name) => Buffer.from(name));
    const tree = await findFolder(this.#context.blobs, this.#root, names);
    if (tree === undefined) throw this.#unknown(path, "folder");
    let rawPath: Buffer = noPath;
    for (const name of names) rawPath = childPath(rawPath, name);
    yield* this.#listTree(tree, rawPath, options.recursive);
  }

  async *stream(
    path: string,
    range?: { readonly offset: number; readonly length: number },
    options?: { readonly transient: boolean },
  ): ByteStream {
    const { content } = await this.#findFile(path);
    const held = this.#context.lock.holdForReading();
    try {
      yield* readContent(content ?? [], range, this.#context, options?.transient);
    } catch (error) {
      throw namingPath(error, path, this.info.id);
    } finally {
      held.release();
    }
  }

  async read(path: string): Promise<Uint8Array> {
    const { content, sizeBytes } = await this.#findFile(path);
    if (sizeBytes > mostBytesAtOnce) {
      throw new RefloatError("bug", `${path} has ${sizeBytes} bytes, which is too many to read at once`);
    }
    const parts: Uint8Array[] = [];
    try {
      for await (const part of readContent(content ?? [], undefined, this.#context)) parts.push(part);
    } catch (error) {
      throw namingPath(error, path, this.info.id);
    }
    return Buffer.concat(parts);
  }

  async extract(path: string, target: string, signal: AbortSignal, progress?: VaultProgress): Promise<ExtractReport> {
    const found = await this.#find(path);
    if (found === undefined) throw this.#unknown(path, "entry");
    const held = this.#context.lock.holdForReading();
    try {
      return await extractTree(this.#context, found.node, target, signal, progress);
    } finally {
      held.release();
    }
  }

  async *#listTree(tree: string, folder: Buffer, recursive: boolean): AsyncGenerator<TreeEntry> {
    for (const node of decodeTree(await this.#context.blobs.read(tree, "tree"), tree)) {
      const rawPath = childPath(folder, node.name);
      yield entryOf(node, rawPath);
      if (recursive && node.type === "dir" && node.subtree !== undefined) {
        yield* this.#listTree(node.subtree, rawPath, recursive);
      }
    }
  }

  /** The root of the snapshot has no node of its own; it is shown as a folder that only its owner may enter. */
  async #find(path: string): Promise<{ readonly node: TreeNode; readonly rawPath: Buffer } | undefined> {
    const names = pathNames(path).map((name) => Buffer.from(name));
    const last = names.at(-1);
    if (last === undefined) return { node: rootNode(this.#root), rawPath: Buffer.from("/") };
    const { blobs } = this.#context;
    const tree = await findFolder(blobs, this.#root, names.slice(0, -1));
    const node = tree === undefined ? undefined : await findInTree(blobs, tree, last);
    let rawPath: Buffer = noPath;
    for (const name of names) rawPath = childPath(rawPath, name);
    return node === undefined ? undefined : { node, rawPath };
  }

  async #findFile(path: string): Promise<TreeNode> {
    const found = await this.#find(path);
    if (found?.node.type !== "file") throw this.#unknown(path, "file");
    return found.node;
  }

  #unknown(path: string, what: string): RefloatError {
    return new RefloatError("point.unknown", `the snapshot ${this.info.id.slice(0, 8)} has no ${what} ${path}`, {
      context: { snapshot: this.info.id, path },
    });
  }
}

export const openSnapshotReader = (context: RepositoryContext, snapshot: StoredSnapshot): SnapshotReader => {
  const reader = new RepositorySnapshotReader(context, snapshot);
  // Callers pass single members on, which methods of a class would not survive.
  return {
    info: reader.info,
    stat: async (path) => reader.stat(path),
    list: (...args) => reader.list(...args),
    stream: (...args) => reader.stream(...args),
    read: async (path) => reader.read(path),
    extract: async (...args) => reader.extract(...args),
  };
};
