/**
 * What was written to a tree after an instant, or what one tree has that another has not. By names, sizes and times, never by
 * content: compared with another tree, a change that puts size and time back is not seen. Nothing is copied: the old side is
 * kept, so the export is a list of what to look at.
 */
import { readlinkSync } from "node:fs";
import type { Stats } from "node:fs";
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import type { Position } from "../../model/facts.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readFileSystemClock } from "../../platform/file-system-clock.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { type WalkedEntry, countTree, pairWalks, walkTree } from "../../platform/tree-walk.ts";
import { type FilesContext, type FilesOptions, stablePathOf, walkRulesOf } from "./files-options.ts";
import { type ChangeKind, type ChangeList, openChangeList } from "./change-list.ts";

/** Times are restored as doubles, which lose the last few hundred nanoseconds; some tools keep whole milliseconds only. */
const timeToleranceMs = { touched: 0.002, untouched: 1.001 };
const estimateBudgetMs = 1_500;
const gapsShown = 20;

/** The instant of a position as the kernel stamps files. */
const sinceOf = (since: Position): number => {
  const { sinceMs } = since.mark;
  return typeof sinceMs === "number" ? sinceMs : new Date(since.takenAt).getTime();
};

type Rules = Parameters<typeof walkTree>[1];

const rulesFor = (context: FilesContext, gaps: string[], where: string): Rules => ({
  ...walkRulesOf(context),
  unreadable: (path, code) => {
    if (gaps.length < gapsShown) gaps.push(`${where}/${path.toString()} cannot be read (${code})`);
  },
});

/** Folders count only by what is in them. */
const isCounted = (entry: WalkedEntry | null): boolean => entry !== null && !entry.stats.isDirectory();

const typeBits = 0o170000;

const differs = (left: WalkedEntry, right: WalkedEntry, roots: readonly [string, string], sinceMs: number): boolean => {
  const [a, b]: readonly [Stats, Stats] = [left.stats, right.stats];
  if ((a.mode & typeBits) !== (b.mode & typeBits)) return true;
  if (a.isSymbolicLink()) return !readLink(roots[0], left.path).equals(readLink(roots[1], right.path));
  if (!a.isFile()) return false;
  const toleranceMs = a.ctimeMs >= sinceMs ? timeToleranceMs.touched : timeToleranceMs.untouched;
  return a.size !== b.size || Math.abs(a.mtimeMs - b.mtimeMs) > toleranceMs;
};

const readLink = (root: string, path: Buffer): Buffer =>
  readlinkSync(Buffer.concat([Buffer.from(`${root}/`), path]), { encoding: "buffer" });

type Tally = { added: number; changed: number; removed: number; lastWriteMs: number | null };

const note = async (tally: Tally, list: ChangeList | null, kind: ChangeKind, entry: WalkedEntry, sinceMs: number) => {
  tally[kind]++;
  if (kind !== "removed") {
    // A copy that keeps an old time was still written after the instant: then the kernel's own stamp tells when.
    const { mtimeMs, ctimeMs } = entry.stats;
    tally.lastWriteMs = Math.max(tally.lastWriteMs ?? 0, mtimeMs > sinceMs ? mtimeMs : ctimeMs);
  }
  await list?.add(kind, entry);
};

/** Everything that one tree has and another has not, whenever it was written. */
const compareTrees = async (
  context: FilesContext,
  roots: readonly [string, string],
  sinceMs: number,
  list: ChangeList | null,
  gaps: string[],
): Promise<Tally> => {
  const tally: Tally = { added: 0, changed: 0, removed: 0, lastWriteMs: null };
  const walks = roots.map((root) => walkTree(root, rulesFor(context, gaps, root)));
  const [leftWalk, rightWalk] = walks;
  if (leftWalk === undefined || rightWalk === undefined) return tally;
  for await (const { left, right } of pairWalks(leftWalk, rightWalk)) {
    if (left !== null && isCounted(left)) {
      if (right === null) await note(tally, list, "added", left, sinceMs);
      else if (differs(left, right, roots, sinceMs)) await note(tally, list, "changed", left, sinceMs);
    } else if (right !== null && isCounted(right)) await note(tally, list, "removed", right, sinceMs);
  }
  return tally;
};

/** Everything that the kernel stamped after the instant. What was removed is known only as a number. */
const compareWithInstant = async (
  context: FilesContext,
  root: string,
  since: Position,
  list: ChangeList | null,
  gaps: string[],
): Promise<Tally> => {
  const tally: Tally = { added: 0, changed: 0, removed: 0, lastWriteMs: null };
  const sinceMs = sinceOf(since);
  let files = 0;
  for await (const entry of walkTree(root, rulesFor(context, gaps, root))) {
    if (entry.stats.isFile()) files++;
    // A switch stamps what it renames, and a component may be a single file: its own new name is no write.
    const stampMs = entry.path.length === 0 ? entry.stats.mtimeMs : entry.stats.ctimeMs;
    if (!isCounted(entry) || stampMs < sinceMs) continue;
    const isNew = entry.stats.birthtimeMs >= sinceMs;
    await note(tally, list, isNew ? "added" : "changed", entry, sinceMs);
  }
  const { files: filesBefore } = since.mark;
  if (typeof filesBefore === "number") tally.removed = Math.max(0, filesBefore + tally.added - files);
  return tally;
};

const isoOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

const writesSince = async (
  context: FilesContext,
  request: Parameters<WriteLedger<FilesOptions>["writesSince"]>[1],
): Promise<WriteReport> => {
  const stable = await stablePathOf(context);
  const root = request.location ?? stable;
  const gaps: string[] = [];
  const list =
    request.exportTo === undefined ? null : await openChangeList(request.exportTo, `${context.component}.csv`);
  try {
    const against = request.against === null ? stable : request.against;
    for (const path of against === undefined ? [root] : [root, against])
      if (!(await pathExists(path)))
        throw new RefloatError("source.failed", `${path} is not there, so what was written cannot be told`);
    const tally =
      against === undefined
        ? await compareWithInstant(context, root, request.since, list, gaps)
        : await compareTrees(context, [root, against], sinceOf(request.since), list, gaps);
    const file = await list?.close();
    const { added, changed, removed, lastWriteMs } = tally;
    return {
      lastWriteAt: isoOf(lastWriteMs),
      units: [{ name: "files", added, changed, removed, ...(file === undefined || file === null ? {} : { file }) }],
      gaps,
    };
  } catch (error) {
    await list?.abandon();
    throw error;
  }
};

export const filesWrites: WriteLedger<FilesOptions> = {
  exports: "files",
  position: async (context, location) => {
    const root = location ?? (await stablePathOf(context));
    return translateSystemErrors("source.failed", `${root} cannot be counted`, async () => {
      const takenAt = context.clock.now().toISOString();
      const sinceMs = await readFileSystemClock(context.workDirectory);
      const { files, sizeBytes } = await countTree(root, rulesFor(context, [], root));
      return { takenAt, mark: { sinceMs, files, sizeBytes } };
    });
  },

  writesSince: (context, request) =>
    translateSystemErrors("source.failed", `the files of ${context.component} cannot be compared`, () =>
      writesSince(context, request),
    ),

  estimateSince: async (context, since) => {
    const root = await stablePathOf(context);
    if (!(await pathExists(root))) return null;
    const began = context.clock.monotonicMs();
    const sinceMs = sinceOf(since);
    let files = 0;
    let lastWriteMs: number | null = null;
    let isWhole = true;
    for await (const entry of walkTree(root, rulesFor(context, [], root))) {
      if (context.clock.monotonicMs() - began > estimateBudgetMs) {
        isWhole = false;
        break;
      }
      if (!isCounted(entry) || entry.stats.ctimeMs < sinceMs) continue;
      files++;
      lastWriteMs = Math.max(lastWriteMs ?? 0, entry.stats.mtimeMs);
    }
    if (files === 0) return isWhole ? { about: "nothing", lastWriteAt: since.takenAt } : null;
    return {
      about: `${isWhole ? "about" : "at least"} ${countOf(files, "file")}`,
      lastWriteAt: isoOf(lastWriteMs),
    };
  },
};
