/**
 * A vault that is a plain folder: the test double of CaptureSink and SnapshotReader. Paths of the snapshot are paths below the
 * folder. It keeps the contract where drivers rely on it (a stream whose seal fails leaves no file, extraction only into what
 * does not exist) and has no encryption, no deduplication and no commit. Trees hold files, folders and symlinks; anything else
 * is refused.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { cp, lstat, mkdir, open, readFile, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ByteStream } from "../core/ports/bytes.ts";
import type { CaptureSink, SnapshotReader, StreamReceipt, TreeEntry } from "../core/ports/vault-snapshots.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import { RefloatError } from "../model/refloat-error.ts";

const place = (root: string, path: string): string => {
  if (!path.startsWith("/") || path.split("/").includes("..")) {
    throw new RefloatError("path.hostile", `"${path}" is not an absolute path within a snapshot`);
  }
  return join(root, path);
};

const entryTypes = { file: "file", directory: "dir", symlink: "symlink" } as const;

const describeEntry = async (root: string, path: string): Promise<TreeEntry | undefined> => {
  const real = place(root, path);
  const stat = await lstat(real).catch(() => undefined);
  if (stat === undefined) return undefined;
  const kind = stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "symlink";
  return {
    path,
    rawPath: Buffer.from(path),
    type: entryTypes[kind],
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    sizeBytes: stat.isFile() ? stat.size : 0,
    modifiedAt: stat.mtime.toISOString(),
    ...(kind === "symlink" ? { linkTarget: await readlink(real) } : {}),
  };
};

/** @param root an existing folder */
export const createDirectorySink = (root: string): CaptureSink => {
  const stream: CaptureSink["stream"] = async (path, source, signal, progress) => {
    const target = place(root, path);
    await mkdir(dirname(target), { recursive: true });
    const hash = createHash("sha256");
    const handle = await open(target, "wx", 0o600);
    let sizeBytes = 0;
    try {
      for await (const chunk of source.bytes) {
        signal.throwIfAborted();
        hash.update(chunk);
        await handle.write(chunk);
        sizeBytes += chunk.length;
        progress?.({ bytes: chunk.length, items: 0 });
      }
      const { rows } = await source.seal();
      await handle.close();
      progress?.({ bytes: 0, items: 1 });
      const receipt: StreamReceipt = { path, sizeBytes, newBytes: sizeBytes, sha256: hash.digest("hex") };
      return rows === undefined ? receipt : { ...receipt, rows };
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(target, { force: true });
      throw error;
    }
  };
  return {
    stream,
    bytes: async (path, content) => {
      const target = place(root, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content, { flag: "wx", mode: 0o600 });
      const sha256 = createHash("sha256").update(content).digest("hex");
      return { path, sizeBytes: content.length, newBytes: content.length, sha256 };
    },
    tree: async (localPath, rules, signal, progress) => {
      if (rules.exclude.length > 0 || rules.oneFileSystem) {
        throw new RefloatError("vault.unsupported", "the directory vault walks whole trees only");
      }
      const path = rules.as ?? localPath;
      const target = place(root, path);
      await mkdir(dirname(target), { recursive: true });
      await cp(localPath, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
      const counts = { files: 0, directories: 0, others: 0, sizeBytes: 0, newestMs: 0 };
      for await (const entry of walk(root, path, true)) {
        signal.throwIfAborted();
        counts.sizeBytes += entry.sizeBytes;
        if (entry.type === "file") {
          counts.files += 1;
          counts.newestMs = Math.max(counts.newestMs, Date.parse(entry.modifiedAt));
          progress?.({ bytes: entry.sizeBytes, items: 1 });
        } else if (entry.type === "dir") counts.directories += 1;
        else counts.others += 1;
      }
      const { newestMs, ...rest } = counts;
      const newestAt = newestMs === 0 ? null : new Date(newestMs).toISOString();
      return { path, ...rest, newBytes: rest.sizeBytes, unchangedFiles: 0, newestAt, unsteady: [] };
    },
  };
};

async function* walk(root: string, path: string, recursive: boolean): AsyncIterable<TreeEntry> {
  const names = await readdir(place(root, path)).catch(() => []);
  for (const name of names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const entry = await describeEntry(root, path === "/" ? `/${name}` : `${path}/${name}`);
    if (entry === undefined) continue;
    yield entry;
    if (recursive && entry.type === "dir") yield* walk(root, entry.path, true);
  }
}

/** @param root a folder that a sink filled @param time of the snapshot, ISO */
export const createDirectoryReader = (root: string, time = "2024-01-01T00:00:00.000Z"): SnapshotReader => {
  const fileAt = async (path: string): Promise<string> => {
    const entry = await describeEntry(root, path);
    if (entry?.type !== "file") throw new RefloatError("point.unknown", `there is no file ${path} in the snapshot`);
    return place(root, path);
  };
  async function* stream(path: string, range?: { offset: number; length: number }): ByteStream {
    const file = await fileAt(path);
    if (range?.length === 0) return;
    const bounds = range === undefined ? {} : { start: range.offset, end: range.offset + range.length - 1 };
    yield* createReadStream(file, { ...bounds, highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
  }
  return {
    info: {
      id: "0".repeat(64) as SnapshotId,
      time,
      hostname: "test",
      paths: ["/"],
      tags: [],
      newBytes: 0,
      tree: "0".repeat(64),
    },
    stat: (path) => describeEntry(root, path),
    list: (path, { recursive }) => walk(root, path, recursive),
    stream,
    read: async (path) => readFile(await fileAt(path)),
    extract: async (path, target, signal, progress) => {
      signal.throwIfAborted();
      const source = place(root, path);
      if ((await lstat(target).catch(() => undefined)) !== undefined) {
        throw new RefloatError("target.failed", `${target} exists already`);
      }
      await cp(source, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
      const report = { files: 0, directories: 0, sizeBytes: 0 };
      const own = await describeEntry(root, path);
      for await (const entry of own?.type === "file" ? [own] : walk(root, path, true)) {
        report.sizeBytes += entry.sizeBytes;
        if (entry.type === "file") report.files += 1;
        if (entry.type === "dir") report.directories += 1;
        progress?.({ bytes: entry.sizeBytes, items: entry.type === "file" ? 1 : 0 });
      }
      return { ...report, warnings: [] };
    },
  };
};
