/**
 * Walks a tree in a fixed order, so that two trees can be compared by one pass over each: depth first, a folder before what is in
 * it, names in byte order. Names are bytes: not every name on a disk is UTF-8. Reads no file's content.
 */
import { type Stats, lstatSync, readdirSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import ignore from "ignore";

export type WalkedEntry = {
  /** Relative to the root, without a leading slash; empty for a root that is no folder. */
  readonly path: Buffer;
  readonly stats: Stats;
};

export type WalkRules = {
  /** Patterns as in a .gitignore file, relative to the root. */
  readonly exclude: readonly string[];
  readonly oneFileSystem: boolean;
  readonly signal: AbortSignal;
  /** Told of a folder or entry that could not be read; what vanished meanwhile is left out without a word. */
  readonly unreadable: (path: Buffer, code: string) => void;
};

const slash = Buffer.from("/");
const entriesBetweenTurns = 256;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "unknown";
const isGone = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(error));

/** The library remembers every path that it was asked about: forgetting now and then bounds that. */
const pathsBetweenForgetting = 10_000;

const compileExcludes = (patterns: readonly string[]): ((path: Buffer, isDirectory: boolean) => boolean) => {
  if (patterns.length === 0) return () => false;
  let matcher = ignore().add([...patterns]);
  let asked = 0;
  return (path, isDirectory) => {
    if (++asked % pathsBetweenForgetting === 0) matcher = ignore().add([...patterns]);
    return matcher.ignores(isDirectory ? `${path.toString()}/` : path.toString());
  };
};

/** Below a root that is a symlink, what it points to is walked. @throws the error of the system when the root cannot be read */
export const walkTree = async function* (root: string, rules: WalkRules): AsyncGenerator<WalkedEntry> {
  // A trailing slash makes the kernel follow a root that is a link.
  const base = Buffer.from(`${root.replace(/\/+$/, "")}/`);
  let rootStats: Stats;
  try {
    rootStats = lstatSync(base);
  } catch (error) {
    if (codeOf(error) !== "ENOTDIR") throw error;
    yield { path: Buffer.alloc(0), stats: lstatSync(root) };
    return;
  }
  const isExcluded = compileExcludes(rules.exclude);

  const namesIn = (folder: Buffer): Buffer[] => {
    try {
      return readdirSync(Buffer.concat([base, folder]), { encoding: "buffer" }).sort((a, b) => Buffer.compare(b, a));
    } catch (error) {
      if (folder.length === 0) throw error;
      if (!isGone(error)) rules.unreadable(folder, codeOf(error));
      return [];
    }
  };

  let sinceTurn = 0;
  // Each folder's names wait in reverse order, so that the next one is popped off the end.
  const open: { readonly folder: Buffer; readonly names: Buffer[] }[] = [
    { folder: Buffer.alloc(0), names: namesIn(Buffer.alloc(0)) },
  ];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const name = top.names.pop();
    if (name === undefined) {
      open.pop();
      continue;
    }
    const path = top.folder.length === 0 ? name : Buffer.concat([top.folder, slash, name]);
    let stats: Stats;
    try {
      stats = lstatSync(Buffer.concat([base, path]));
    } catch (error) {
      if (!isGone(error)) rules.unreadable(path, codeOf(error));
      continue;
    }
    if (isExcluded(path, stats.isDirectory())) continue;
    yield { path, stats };
    const isOtherFileSystem = rules.oneFileSystem && stats.dev !== rootStats.dev;
    if (stats.isDirectory() && !isOtherFileSystem) open.push({ folder: path, names: namesIn(path) });
    if (++sinceTurn >= entriesBetweenTurns) {
      sinceTurn = 0;
      await nextTurn();
      rules.signal.throwIfAborted();
    }
  }
};

/** The order of the walk: byte order of names, with a folder's content right after it. */
export const comparePaths = (a: Buffer, b: Buffer): number => {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a[index] ?? 0;
    const right = b[index] ?? 0;
    if (left === right) continue;
    // A slash sorts before every byte that a name may have.
    if (left === 0x2f) return -1;
    if (right === 0x2f) return 1;
    return left - right;
  }
  return a.length - b.length;
};

export type Pairing = { readonly left: WalkedEntry | null; readonly right: WalkedEntry | null };

/** Merges two walks: each path once, with its entry on either side. */
export const pairWalks = async function* (
  left: AsyncGenerator<WalkedEntry>,
  right: AsyncGenerator<WalkedEntry>,
): AsyncGenerator<Pairing> {
  const take = async (walk: AsyncGenerator<WalkedEntry>): Promise<WalkedEntry | null> => {
    const next = await walk.next();
    return next.done === true ? null : next.value;
  };
  let a = await take(left);
  let b = await take(right);
  while (a !== null || b !== null) {
    const order = a === null ? 1 : b === null ? -1 : comparePaths(a.path, b.path);
    if (order < 0) {
      yield { left: a, right: null };
      a = await take(left);
    } else if (order > 0) {
      yield { left: null, right: b };
      b = await take(right);
    } else {
      yield { left: a, right: b };
      a = await take(left);
      b = await take(right);
    }
  }
};

export type TreeCount = {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly sizeBytes: number;
  /** Newest modification time of a file in milliseconds; null for none. */
  readonly newestMs: number | null;
};

export const countTree = async (root: string, rules: WalkRules): Promise<TreeCount> => {
  const count = { files: 0, directories: 0, others: 0, sizeBytes: 0, newestMs: null as number | null };
  for await (const { stats } of walkTree(root, rules)) {
    if (stats.isFile()) {
      count.files++;
      count.sizeBytes += stats.size;
      count.newestMs = Math.max(count.newestMs ?? 0, stats.mtimeMs);
    } else if (stats.isDirectory()) count.directories++;
    else count.others++;
  }
  return count;
};
