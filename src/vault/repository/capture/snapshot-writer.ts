/** One snapshot in the making. Nothing of it can be seen before `commit`, whose last act is to write the snapshot file. */
import { lstat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { SealedStream } from "../../../core/ports/bytes.ts";
import type { VaultLock } from "../../../core/ports/vault-locks.ts";
import type {
  SnapshotInfo,
  SnapshotWriter,
  StreamReceipt,
  TreeReceipt,
  TreeRules,
  VaultProgress,
} from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { snapshotIdSchema } from "../../../model/identifiers.ts";
import { goModeOf } from "../format/go-file-mode.ts";
import { formatGoTime, parseGoTime } from "../format/go-time.ts";
import { type StoredSnapshot, readSnapshot, writeSnapshot } from "../format/snapshot-file.ts";
import { encodeNode } from "../format/tree-node.ts";
import type { HeldLock } from "../locks/repository-lock.ts";
import { findFolder } from "../reading/tree-finder.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { lockedTarget } from "../retention/vault-locks.ts";
import type { Store } from "../stores/store.ts";
import type { StreamContent } from "../threads/calls.ts";
import { clearFailure } from "./capture-state.ts";
import { nodeOfStats } from "./node-of-stats.ts";
import { readOwnerNames } from "./owner-names.ts";
import { isUnreadableParent } from "./parent-folder.ts";
import { SnapshotLayout, type LayoutFolder, pathNames } from "./snapshot-layout.ts";
import { SlotRings, StreamFeed } from "./stream-feed.ts";
import { TreeWalk } from "./tree-walk.ts";
import { untilAborted } from "./until-aborted.ts";

export type SnapshotRequest = {
  readonly hostname: string;
  readonly time: Date;
  readonly tags: readonly string[];
  readonly paths: readonly string[];
  readonly parent: StoredSnapshot | undefined;
  readonly lock: (VaultLock & { readonly members: readonly string[] }) | undefined;
};

const rings = new SlotRings();
const never = new AbortController().signal;
/** Before a capture begins a file that may be written to has to have been at rest for so long: clocks of file systems tick in steps. */
const atRestNs = 2_000_000_000n;

const hexIds = (content: Uint8Array): readonly string[] => {
  const hex = Buffer.from(content.buffer, content.byteOffset, content.length).toString("hex");
  return Array.from({ length: content.length / 32 }, (_, at) => hex.slice(at * 64, at * 64 + 64));
};

class RepositorySnapshotWriter implements SnapshotWriter {
  readonly #context: RepositoryContext;
  readonly #request: SnapshotRequest;
  readonly #held: HeldLock;
  readonly #layout = new SnapshotLayout();
  readonly #owners = readOwnerNames();
  readonly #excludes = new Set<string>();
  #totals = { files: 0, bytes: 0, newBytes: 0 };
  #underWay = 0;
  #state: "open" | "broken" | "ended" = "open";

  constructor(context: RepositoryContext, request: SnapshotRequest, held: HeldLock) {
    this.#context = context;
    this.#request = request;
    this.#held = held;
    context.captures.begin();
  }

  async stream(
    path: string,
    source: SealedStream,
    signal: AbortSignal,
    progress?: VaultProgress,
  ): Promise<StreamReceipt> {
    pathNames(path);
    return this.#working(async () => {
      const { content, rows } = await this.#store(source, signal, progress);
      this.#addFile(path, content);
      progress?.({ bytes: 0, items: 1 });
      const { sizeBytes, newBytes, sha256 } = content;
      return { path, sizeBytes, newBytes, sha256, ...(rows === undefined ? {} : { rows }) };
    });
  }

  async bytes(path: string, content: Uint8Array): Promise<StreamReceipt> {
    async function* once() {
      yield content;
    }
    return this.stream(path, { bytes: once(), seal: async () => ({}) }, never);
  }

  async tree(localPath: string, rules: TreeRules, signal: AbortSignal, progress?: VaultProgress): Promise<TreeReceipt> {
    const local = resolve(localPath);
    const path = rules.as ?? local;
    const names = pathNames(path).map((name) => Buffer.from(name));
    return this.#working(async () => {
      const { pool, blobs } = this.#context;
      const parent = this.#parentFor(rules);
      const readAnew: TreeReceipt["unsteady"][number][] = [];
      const parentFolder =
        parent === undefined
          ? undefined
          : await findFolder(blobs, parent.tree, names.slice(0, -1)).catch((error: unknown) => {
              if (!isUnreadableParent(error)) throw error;
              readAnew.push({ path: local, reason: "read-anew" });
            });
      const describe = rules.as === undefined ? await this.#foldersAbove(local) : () => this.#madeFolder;
      const { job, end } = pool.beginJob((bytes, items) => progress?.({ bytes, items }));
      try {
        const start = {
          walk: job,
          path: Buffer.from(local),
          name: names.at(-1) ?? Buffer.from("root"),
          parentFolder: parentFolder ?? null,
          rules: {
            exclude: rules.exclude,
            oneFileSystem: rules.oneFileSystem,
            pages: rules.pages ?? null,
            doubtedFromNs: rules.writtenSince === undefined ? null : (parent?.begunNs ?? 0n) - atRestNs,
          },
        };
        const { node, tree, counts, unsteady } = await new TreeWalk(pool, start, signal).run();
        const text = Buffer.from(node.buffer, node.byteOffset, node.length).toString("utf8");
        this.#layout.add(path, { kind: "leaf", node: text, tree }, describe);
        for (const pattern of rules.exclude) this.#excludes.add(pattern);
        const { files, others, sizeBytes, newBytes, unchangedFiles, newestNs } = counts;
        const directories = counts.directories - (tree === null ? 0 : 1);
        this.#count(files, sizeBytes, newBytes);
        const newestAt = newestNs === null ? null : formatGoTime(newestNs);
        return {
          path,
          files,
          directories,
          others,
          sizeBytes,
          newBytes,
          unchangedFiles,
          newestAt,
          unsteady: [...readAnew, ...unsteady],
        };
      } finally {
        end();
      }
    });
  }

  async commit(): Promise<SnapshotInfo> {
    if (this.#state !== "open" || this.#underWay > 0) {
      throw new RefloatError(
        "bug",
        this.#underWay > 0
          ? "a snapshot was to be committed while parts of it were still being read"
          : `a snapshot that is ${this.#state} was to be committed`,
      );
    }
    const { sealer, config, pool, index, clock, owner } = this.#context;
    this.#state = "broken";
    const tree = await this.#layout.saveTrees(async (blob) => {
      const { id, newBytes } = await pool.leastLoaded().call("save-blob", { type: "tree", bytes: blob });
      this.#totals.newBytes += newBytes;
      return id;
    });
    await Promise.all(pool.started.map((thread) => thread.call("flush", null)));
    await index.flush();
    const { time, hostname, paths, tags, parent } = this.#request;
    const target = await this.#locked(tree);
    await this.#held.requireFresh();
    const id = await writeSnapshot(target, sealer, config.version, {
      time,
      parent: parent?.file,
      tree,
      paths,
      hostname,
      username: owner.username,
      uid: owner.uid,
      gid: owner.gid,
      excludes: [...this.#excludes],
      tags,
      programVersion: "refloat",
      summary: {
        backupStart: time,
        backupEnd: clock.now(),
        totalFiles: this.#totals.files,
        totalBytes: this.#totals.bytes,
        newBytes: this.#totals.newBytes,
      },
    });
    this.#end();
    return {
      id: snapshotIdSchema.parse(id),
      time: time.toISOString(),
      hostname,
      paths,
      tags,
      newBytes: this.#totals.newBytes,
      tree,
    };
  }

  /** What may be taken over from; files that a program writes to all the time come from nothing that is older than the program. */
  #parentFor({ writtenSince }: TreeRules): { readonly tree: string; readonly begunNs: bigint } | undefined {
    const { parent } = this.#request;
    if (parent === undefined) return undefined;
    const begunNs = parseGoTime(parent.time) ?? 0n;
    const isOlder = writtenSince !== undefined && begunNs <= BigInt(writtenSince.getTime()) * 1_000_000n;
    return isOlder ? undefined : { tree: parent.tree, begunNs };
  }

  /** Locks what the snapshot rests on, where it is to be. @returns where its own file is written to, with the lock from the beginning */
  async #locked(tree: string): Promise<Pick<Store, "write">> {
    const { documents, sealer } = this.#context;
    const { lock } = this.#request;
    if (lock === undefined) return documents;
    const members = await Promise.all(lock.members.map(async (id) => readSnapshot(documents, sealer, id)));
    const trees = [tree, ...members.map((member) => member.tree)];
    return (await lockedTarget(this.#context, { lock, trees, snapshots: lock.members }, never)) ?? documents;
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    this.#end();
    await clearFailure(this.#context);
  }

  #end(): void {
    if (this.#state === "ended") return;
    if (this.#state === "broken") this.#context.captures.taint();
    this.#state = "ended";
    this.#context.captures.end();
    this.#held.release();
  }

  /** A part that failed breaks the whole: a snapshot without it would look complete. */
  async #working<Result>(act: () => Promise<Result>): Promise<Result> {
    if (this.#state !== "open")
      throw new RefloatError("bug", `something was put into a snapshot that is ${this.#state}`);
    this.#underWay += 1;
    try {
      return await act();
    } catch (error) {
      if (this.#state === "open") this.#state = "broken";
      throw error;
    } finally {
      this.#underWay -= 1;
    }
  }

  async #store(
    source: SealedStream,
    signal: AbortSignal,
    progress: VaultProgress | undefined,
  ): Promise<{ readonly content: StreamContent; readonly rows: number | undefined }> {
    const { pool } = this.#context;
    const thread = pool.leastLoaded();
    const ring = rings.take();
    const { job: stream, end } = pool.beginJob(() => undefined);
    thread.assigned += 1;
    let ended = false;
    try {
      await thread.call("stream-open", { stream, slots: ring, mayHandOver: pool.hasHandsFree });
      const feed = new StreamFeed(this.#context, thread, stream, ring);
      await feed.pump(untilAborted(source.bytes, signal), (bytes) => progress?.({ bytes, items: 0 }));
      const { rows } = await source.seal();
      signal.throwIfAborted();
      const content = await feed.end();
      ended = true;
      rings.give(ring);
      return { content, rows };
    } finally {
      thread.assigned -= 1;
      end();
      if (!ended) await thread.call("stream-discard", { stream }).catch(() => null);
    }
  }

  #addFile(path: string, { content, sizeBytes, newBytes }: StreamContent): void {
    const name = Buffer.from(pathNames(path).at(-1) ?? "");
    const node = this.#madeNode(name, {
      type: "file",
      permissions: 0o600,
      content: hexIds(content),
      sizeBytes,
      links: 1,
    });
    this.#layout.add(path, { kind: "leaf", node, tree: null }, () => this.#madeFolder);
    this.#count(1, sizeBytes, newBytes);
  }

  readonly #madeFolder = (name: Uint8Array, subtree: string): string =>
    this.#madeNode(name, { type: "dir", permissions: 0o700, content: null, sizeBytes: 0, links: 0, subtree });

  /** The node of something that never was on a disk. */
  #madeNode(
    name: Uint8Array,
    body: {
      readonly type: "file" | "dir";
      readonly permissions: number;
      readonly content: readonly string[] | null;
      readonly sizeBytes: number;
      readonly links: number;
      readonly subtree?: string;
    },
  ): string {
    const ns = BigInt(this.#request.time.getTime()) * 1_000_000n;
    const { uid, gid } = this.#context.owner;
    const { type, permissions, ...rest } = body;
    return encodeNode({
      name,
      type,
      goMode: goModeOf(type, permissions),
      modifiedNs: ns,
      accessedNs: ns,
      changedNs: ns,
      uid,
      gid,
      user: this.#owners.user(uid),
      group: this.#owners.group(gid),
      inode: 0n,
      deviceId: 0n,
      device: 0n,
      unsupported: [],
      ...rest,
    });
  }

  /** The real folders above a captured path keep their modes and owners. */
  async #foldersAbove(local: string): Promise<(depth: number) => LayoutFolder["describe"]> {
    const folders: LayoutFolder["describe"][] = [];
    for (let above = dirname(local); above !== "/"; above = dirname(above)) {
      let stats: Awaited<ReturnType<typeof lstat>> | undefined;
      try {
        stats = await lstat(above, { bigint: true });
      } catch (error) {
        throw new RefloatError("source.failed", `${above} cannot be read: ${(error as NodeJS.ErrnoException).code}`, {
          cause: error,
          context: { path: above },
        });
      }
      // A symlink on the way cannot be a folder of the snapshot; the folder that it stands for is made up.
      const found = stats.isDirectory() ? stats : undefined;
      folders.unshift(
        found === undefined
          ? this.#madeFolder
          : (name, subtree) => encodeNode(nodeOfStats(name, found, this.#owners, { content: null, subtree })),
      );
    }
    return (depth) => folders[depth] ?? this.#madeFolder;
  }

  #count(files: number, bytes: number, newBytes: number): void {
    this.#totals = {
      files: this.#totals.files + files,
      bytes: this.#totals.bytes + bytes,
      newBytes: this.#totals.newBytes + newBytes,
    };
  }
}

export const beginSnapshotWriter = (
  context: RepositoryContext,
  request: SnapshotRequest,
  held: HeldLock,
): SnapshotWriter => {
  const writer = new RepositorySnapshotWriter(context, request, held);
  // Callers pass single members on, which methods of a class would not survive.
  return {
    stream: async (...args) => writer.stream(...args),
    bytes: async (...args) => writer.bytes(...args),
    tree: async (...args) => writer.tree(...args),
    commit: async () => writer.commit(),
    abort: async () => writer.abort(),
  };
};
