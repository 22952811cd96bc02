/** Capture: a copy as of one moment, looked at and handed to the vault as the files that they are. */
import { chmod, lchown, lstat, mkdir, statfs, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { formatBytes } from "../../core/text/quantity.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { walkTree } from "../../platform/tree-walk.ts";
import { type DatabaseFiles, findDatabases, refuseOthers } from "./database-files.ts";
import { readStamps, writtenAtMs } from "./file-stamps.ts";
import type { CopyReport } from "./program/copy-databases.ts";
import { runTask } from "./run-task.ts";
import { scratchVariable, withScratchFolder } from "./scratch-folder.ts";
import { type Stamp, factsOf, inspectionWarnings, markOf } from "./sqlite-facts.ts";
import { type SqliteContext, busyTimeoutOf, stablePathOf } from "./sqlite-options.ts";

/** What a copy takes where blocks cannot be shared: the databases and what their -wal files hold. */
export const copyBytes = (stamps: Readonly<Record<string, Stamp>>): number =>
  Object.values(stamps).reduce((total, { sizeBytes, walBytes }) => total + sizeBytes + walBytes, 0);

export const freeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

const requireRoom = async (files: DatabaseFiles, stamps: Readonly<Record<string, Stamp>>, folder: string) => {
  const [needed, free] = [copyBytes(stamps), await freeBytes(folder)];
  if (needed <= free) return;
  throw new RefloatError(
    "capture.no-space",
    `the copy of ${files.root} may need ${formatBytes(needed)} in ${dirname(folder)}, where ${formatBytes(free)} are free`,
    {
      context: { neededBytes: needed, freeBytes: free, folder: dirname(folder) },
      hint: "make room, or name a folder on another file system: scratch:",
    },
  );
};

/** Gives a copy what its source has beside its content; the time is that of the last write. */
const likeSource = async (source: string, copy: string, writtenMs: number | null): Promise<void> => {
  const { mode, uid, gid, mtimeMs } = await lstat(source);
  // Another owner can be given by root alone; whoever else reads it keeps it as their own.
  if (process.getuid?.() === 0) await lchown(copy, uid, gid);
  await chmod(copy, mode & 0o7777);
  const seconds = (writtenMs ?? mtimeMs) / 1_000;
  await utimes(copy, seconds, seconds);
};

/** Folders of the component, outermost first; the root itself is the empty name. */
const foldersOf = async (context: SqliteContext, { root }: DatabaseFiles): Promise<readonly string[]> => {
  const folders = [""];
  const rules = {
    exclude: context.options.exclude ?? [],
    oneFileSystem: true,
    signal: context.signal,
    unreadable: () => undefined,
  };
  for await (const { path, stats } of walkTree(root, rules)) if (stats.isDirectory()) folders.push(path.toString());
  return folders;
};

type Places = { readonly target: string; readonly scratch: string };

const copyInto = async (
  context: SqliteContext,
  files: DatabaseFiles,
  { target, scratch }: Places,
  pinned?: () => void,
) => {
  const folders = files.isFolder ? await foldersOf(context, files) : [];
  for (const name of folders) await mkdir(join(target, name), { recursive: true, mode: 0o700 });
  const copyOf = (name: string): string => (files.isFolder ? join(target, name) : target);
  const copies = files.databases.map(({ name, path }) => ({ name, path: copyOf(name), source: path }));
  const busyTimeoutMs = busyTimeoutOf(context);
  const asked = { ...context, environment: { [scratchVariable]: scratch } };
  const report = await runTask(asked, "copy", {
    databases: copies.map(({ path, source }) => ({ path: source, copy: path })),
    busyTimeoutMs,
  });
  pinned?.();
  const found = await runTask(asked, "inspect", {
    databases: copies.map(({ name, path }) => ({ name, path })),
    isUnchanging: true,
    withChecks: true,
    busyTimeoutMs,
  });
  return { report, found, copies, folders };
};

const momentWarnings = (files: DatabaseFiles, report: CopyReport): readonly string[] =>
  report.isOneMoment
    ? []
    : [
        `the databases of ${files.root} are each of a moment of its own: who may not write to them cannot hold them all at once`,
      ];

export const captureSqlite = async (
  context: SqliteContext,
  sink: CaptureSink,
  _previous: CapturedComponent | null = null,
  pinned?: () => void,
): Promise<CaptureReport> => {
  const root = await stablePathOf(context);
  const files = await findDatabases(context, root);
  refuseOthers(files);
  return withScratchFolder(context, root, (scratch) =>
    translateSystemErrors("source.failed", `${root} cannot be captured`, async () => {
      // Before anything is read: whatever is written from here on may or may not be in the point, and counts as after it.
      const stamps = await readStamps(files.databases);
      await requireRoom(files, stamps, scratch);
      const target = join(scratch, "copy");
      const { report, found, copies, folders } = await copyInto(context, files, { target, scratch }, pinned);
      for (const { name, path, source } of copies) {
        const stamp = stamps[name];
        await likeSource(source, path, stamp === undefined ? null : writtenAtMs(stamp));
      }
      // Inner folders first: what is put into a folder changes its time.
      for (const name of folders.toReversed()) await likeSource(join(root, name), join(target, name), null);
      const position = { takenAt: report.beginAt, mark: markOf(stamps, files.isFolder, found) };
      const facts = factsOf(found, files.isFolder, position);
      const receipt = await sink.tree(
        target,
        { exclude: [], oneFileSystem: false, as: root },
        context.signal,
        accumulateProgress(context.progress, {
          unit: "databases",
          bytesTotal: facts.sizeBytes,
          itemsTotal: found.length,
        }),
      );
      return {
        path: receipt.path,
        facts: { ...facts, detail: { ...facts.detail, heldMs: report.heldMs, copyShared: report.shared } },
        window: { beginAt: report.beginAt, endAt: report.endAt },
        consistency: report.isOneMoment ? "snapshot" : "crash",
        warnings: [...momentWarnings(files, report), ...inspectionWarnings(found)],
      };
    }),
  );
};
