/**
 * A sink that keeps nothing: what a driver captures is counted and hashed, and folders are held against those of a point. So a driver says what is
 * live in the same words as at a capture, by the same reads.
 */
import { createHash } from "node:crypto";
import type {
  CaptureSink,
  FolderEntry,
  LiveTree,
  StreamReceipt,
  TreeReceipt,
  TreeRules,
} from "../ports/vault-snapshots.ts";
import { instantOfNs } from "../text/instant-of-ns.ts";
import type { Difference, Likeness, TreeSide } from "./compare-trees.ts";
import { type FilesTally, compareFiles } from "./component-diff.ts";

export type ComparingSink = {
  readonly sink: CaptureSink;
  /** Has the driver put a folder into it? */
  readonly sawTree: () => boolean;
};

export type ComparingSinkOptions = {
  /** What the point holds; null for nothing. */
  readonly before: TreeSide | null;
  readonly liveTree: (localPath: string, rules: TreeRules) => Promise<LiveTree>;
  readonly tally: FilesTally;
  readonly take: (difference: Difference) => Promise<void>;
};

export const createComparingSink = ({ before, liveTree, tally, take }: ComparingSinkOptions): ComparingSink => {
  let trees = 0;
  const sink: CaptureSink = {
    stream: async (path, source, signal, progress): Promise<StreamReceipt> => {
      const hash = createHash("sha256");
      let sizeBytes = 0;
      for await (const part of source.bytes) {
        signal.throwIfAborted();
        hash.update(part);
        sizeBytes += part.length;
        progress?.({ bytes: part.length, items: 0 });
      }
      const { rows } = await source.seal();
      return { path, sizeBytes, newBytes: 0, sha256: hash.digest("hex"), ...(rows === undefined ? {} : { rows }) };
    },
    bytes: async (path, content) => ({
      path,
      sizeBytes: content.length,
      newBytes: 0,
      sha256: createHash("sha256").update(content).digest("hex"),
    }),
    tree: async (localPath, rules, signal, progress): Promise<TreeReceipt> => {
      trees += 1;
      const live = await liveTree(localPath, rules);
      const count = new LiveCount();
      const after = live.root === undefined ? null : liveSide(live, live.root, count, { signal, progress });
      await compareFiles({ before, after }, tally, take, signal);
      return count.receipt(rules.as ?? localPath);
    },
  };
  return { sink, sawTree: () => trees > 0 };
};

type Told = {
  readonly signal: AbortSignal;
  readonly progress: Parameters<CaptureSink["tree"]>[3];
};

/** Times are restored as doubles, which lose the last few hundred nanoseconds. */
const sameTimeNs = 2_000n;

const isSameTime = (a: bigint, b: bigint): boolean => a - b <= sameTimeNs && b - a <= sameTimeNs;

const liveSide = (live: LiveTree, root: FolderEntry, count: LiveCount, { signal, progress }: Told): TreeSide => {
  count.add(root, true);
  return {
    entry: root,
    tree: {
      folder: async (treeId) => {
        const entries = await live.folder(treeId);
        return counted(entries, count, progress);
      },
    },
    // A file that says that it is as it was is believed; where only its time differs its content is asked.
    likeness: async (path, captured, now): Promise<Likeness> => {
      const time = isSameTime(captured.modifiedNs, now.modifiedNs);
      if (captured.type !== "file" || now.type !== "file") return { content: true, time };
      if (captured.sizeBytes !== now.sizeBytes) return { content: false, time };
      return { content: time || (await live.holds(path, captured, signal)), time };
    },
  };
};

function* counted(
  entries: Iterable<FolderEntry>,
  count: LiveCount,
  progress: Told["progress"],
): Generator<FolderEntry> {
  for (const entry of entries) {
    count.add(entry, false);
    progress?.({ bytes: entry.sizeBytes, items: entry.type === "file" ? 1 : 0 });
    yield entry;
  }
}

/** What a capture would say of the tree. */
class LiveCount {
  #files = 0;
  #directories = 0;
  #others = 0;
  #sizeBytes = 0;
  #newestNs: bigint | null = null;

  add({ type, sizeBytes, modifiedNs }: FolderEntry, isRoot: boolean): void {
    if (type === "file") {
      this.#files += 1;
      this.#sizeBytes += sizeBytes;
      if (this.#newestNs === null || modifiedNs > this.#newestNs) this.#newestNs = modifiedNs;
    } else if (type !== "dir") this.#others += 1;
    else if (!isRoot) this.#directories += 1;
  }

  receipt(path: string): TreeReceipt {
    return {
      path,
      files: this.#files,
      directories: this.#directories,
      others: this.#others,
      sizeBytes: this.#sizeBytes,
      newBytes: 0,
      unchangedFiles: 0,
      newestAt: this.#newestNs === null ? null : instantOfNs(this.#newestNs),
      unsteady: [],
    };
  }
}
