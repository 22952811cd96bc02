/**
 * Locks of files in a folder by the immutable flag. A file's modification time is the end of its lock, set before the flag: so a time in
 * the future without the flag is what a killed process left, and the next one goes on there. Root can lift the flag, so it is never
 * `compliance`: what it guarantees, and what it does not, is told by `refloat vault locks`.
 */
import { chmod, rm, stat, utimes } from "node:fs/promises";
import { RefloatError } from "../../../model/refloat-error.ts";
import { systemClock } from "../../../platform/system-clock.ts";
import { clearImmutable, isImmutable, setImmutable } from "./immutable-flag.ts";
import type { FileLock, LockAbility, StoreKind, StoreRetention } from "./store.ts";
import { storeFailure } from "./store-failure.ts";

export type LocalRetentionOptions = {
  readonly location: string;
  readonly pathOf: (kind: StoreKind, name: string) => string;
  /** Each file that a lock may be on. */
  readonly files: () => AsyncIterable<{ readonly kind: StoreKind; readonly name: string }>;
  /** Makes an empty file to try it on, which `sweep` removes if this process is killed. @returns its path */
  readonly makeProbe: () => string;
  readonly missing: (kind: StoreKind, name: string, error: unknown) => RefloatError;
  /** Durable, with the end of the lock as its modification time from the first instant. */
  readonly writeMarked: (kind: StoreKind, name: string, content: Uint8Array, until: Date) => Promise<void>;
};

/** Two processes that prolong the same lock: each sees that the other came between, and looks again. */
const triesAtMost = 20;

/** Whole seconds are what every file system keeps. */
export const wholeSecond = (until: Date): Date => new Date(Math.ceil(until.getTime() / 1000) * 1000);

/** @returns why files cannot be locked; null if they can */
const reasonNotTo = async (makeProbe: () => string): Promise<string | null> => {
  let path = "";
  try {
    path = makeProbe();
  } catch (error) {
    return `nothing can be written into the folder (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
  }
  try {
    const said = await setImmutable(path);
    if (await isImmutable(path)) return null;
    if (said?.includes("is not installed") === true) return "the program chattr (package e2fsprogs) is not installed";
    return said?.includes("Operation not permitted") === true
      ? "only root may make files of a folder immutable, and this is not root"
      : "the file system of the folder has no immutable flag";
  } finally {
    await clearImmutable(path);
    await rm(path, { force: true });
  }
};

export const createLocalRetention = (options: LocalRetentionOptions): StoreRetention => {
  const { location, pathOf, missing, files } = options;
  let ability: Promise<LockAbility> | undefined;
  let resumed: Promise<void> | undefined;

  /** Null for what has no flag. */
  const lockAt = async (path: string): Promise<FileLock | null> =>
    (await isImmutable(path)) ? { until: (await stat(path)).mtime, mode: "governance" } : null;

  const failure = (act: string, kind: StoreKind, name: string, error: unknown): RefloatError =>
    (error as NodeJS.ErrnoException).code === "ENOENT"
      ? missing(kind, name, error)
      : storeFailure(location, `${act} ${kind}/${name}`, error);

  const lock: StoreRetention["lock"] = async (kind, name, wanted) => {
    const path = pathOf(kind, name);
    let said: string | null = null;
    try {
      for (let tries = 0; tries < triesAtMost; tries += 1) {
        const present = await lockAt(path);
        if (present !== null && present.until >= wholeSecond(wanted.until)) return present;
        if (present !== null) said = await clearImmutable(path);
        if (!(await isImmutable(path))) await mark(path, wholeSecond(wanted.until));
        said = (await setImmutable(path)) ?? said;
      }
    } catch (error) {
      throw failure("lock", kind, name, error);
    }
    throw storeFailure(location, `lock ${kind}/${name}`, said ?? "its immutable flag does not stay");
  };

  const lockOf: StoreRetention["lockOf"] = async (kind, name) => {
    try {
      return await lockAt(pathOf(kind, name));
    } catch (error) {
      throw failure("ask for the lock of", kind, name, error);
    }
  };

  const resume = async (): Promise<void> => {
    const now = systemClock.now();
    const left: string[] = [];
    for await (const { kind, name } of files()) {
      const path = pathOf(kind, name);
      try {
        if ((await stat(path)).mtime > now && !(await isImmutable(path))) left.push(path);
      } catch (error) {
        // Removed since it was listed.
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw failure("lock", kind, name, error);
      }
    }
    await Promise.all(left.map(setImmutable));
  };

  return {
    support: () =>
      (ability ??= reasonNotTo(options.makeProbe).then((reason) => ({
        locks: reason === null,
        reason,
        keptBy: "file-system",
      }))),

    lock,

    lockOf,

    lockOfContent: async (kind, name, atLeastBytes) => {
      const found = await lockOf(kind, name);
      if ((await stat(pathOf(kind, name))).size >= atLeastBytes) return found;
      throw new RefloatError("vault.damaged", `the vault's ${kind} file ${name} is too short for what is in it`, {
        context: { location, kind, file: name },
        nextCommand: "refloat verify --read-data",
      });
    },

    writeLocked: async (kind, name, content, wanted) => {
      await options.writeMarked(kind, name, content, wholeSecond(wanted.until));
      await lock(kind, name, wanted);
    },

    resume: () => (resumed ??= resume()),
  };
};

/** The later end stays, whoever wrote it. Nobody may write to what is locked. */
const mark = async (path: string, until: Date): Promise<void> => {
  try {
    const { mtime, mode } = await stat(path);
    if ((mode & 0o222) !== 0) await chmod(path, mode & 0o555);
    if (mtime < until) await utimes(path, until, until);
  } catch (error) {
    // Another process was quicker with its flag; its lock is looked at next.
    if (!(await isImmutable(path))) throw error;
  }
};

/**
 * Frees a file whose lock is over, so that it can be removed.
 * @returns false if it has no flag: whatever keeps it from being removed is something else
 * @throws RefloatError vault.denied if it is still locked, or the flag cannot be lifted
 */
export const freeExpired = async (path: string, file: string, location: string): Promise<boolean> => {
  if (!(await isImmutable(path))) return false;
  const { mtime } = await stat(path);
  if (mtime > systemClock.now()) {
    throw new RefloatError("vault.denied", `${file} is locked until ${mtime.toISOString()}`, {
      context: { location, file, until: mtime.toISOString() },
      hint: "a lock always wins; root can lift it with chattr -i",
      nextCommand: "refloat vault locks",
    });
  }
  await clearImmutable(path);
  if (!(await isImmutable(path))) return true;
  throw new RefloatError("vault.denied", `${file} is immutable and its lock is over, but only root may lift it`, {
    context: { location, file },
    hint: "prune as root",
  });
};
