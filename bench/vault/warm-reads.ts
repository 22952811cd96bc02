/**
 * How fast an open vault answers: one small file, a range of a large one, the whole list of a tree. Everything in one process, with the
 * repository open and its index read; the system's cache is warm.
 */
import type { FolderEntry, SnapshotReader } from "../../src/core/ports/vault-snapshots.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { median } from "../recovery/measured-process.ts";
import { seededRandom } from "./seeded-random.ts";

export type WarmReads = {
  /** Median of a small file that was not read before. */
  readonly warm_file_ms: number;
  /** Median of a range of 64 KiB somewhere in the large file. */
  readonly warm_range_ms: number;
  /** The whole tree, entry by entry, as browse and mount would. */
  readonly listing_s: number;
  readonly entries: number;
};

export type WarmReadsInput = {
  readonly vault: string;
  readonly password: string;
  /** Id of a snapshot with many small files and a large one; the newest when left out. */
  readonly snapshot?: string;
  /** How often files and ranges are read. */
  readonly rounds?: number;
  /** For a choice of files that is the same each time. */
  readonly seed?: number;
};

const rangeBytes = 64 * 1024;
const smallBytes = 64 * 1024;

const timed = async (act: () => Promise<number>): Promise<{ readonly ms: number; readonly bytes: number }> => {
  const began = performance.now();
  const bytes = await act();
  return { ms: performance.now() - began, bytes };
};

const count = async (source: AsyncIterable<Uint8Array>): Promise<number> => {
  let bytes = 0;
  for await (const part of source) bytes += part.length;
  return bytes;
};

type Chosen = {
  readonly small: readonly string[];
  readonly large: { readonly path: string; readonly sizeBytes: number };
};

const chooseFiles = async (reader: SnapshotReader, rounds: number, next: () => number): Promise<Chosen> => {
  const small: string[] = [];
  let large = { path: "", sizeBytes: 0 };
  let seen = 0;
  for await (const { type, path, sizeBytes } of reader.list("/", { recursive: true })) {
    if (type !== "file") continue;
    if (sizeBytes > large.sizeBytes) large = { path, sizeBytes };
    if (sizeBytes === 0 || sizeBytes > smallBytes) continue;
    // Each of those seen so far is kept with the same chance.
    seen += 1;
    if (small.length < rounds) small.push(path);
    else {
      const at = Math.floor(next() * seen);
      if (at < rounds) small[at] = path;
    }
  }
  return { small, large };
};

export const measureWarmReads = async (input: WarmReadsInput): Promise<WarmReads> => {
  const { rounds = 200, seed = 1 } = input;
  const next = seededRandom(seed);
  const repository = await openRepository(input.vault, input.password, { clock: systemClock });
  try {
    const newest = (await repository.snapshots()).toSorted((a, b) => b.time.localeCompare(a.time))[0];
    const id = input.snapshot ?? newest?.id ?? "";
    const reader = await repository.openSnapshot(id);
    const { small, large } = await chooseFiles(reader, rounds, next);
    const files: number[] = [];
    for (const path of small) files.push((await timed(() => count(reader.stream(path)))).ms);
    const ranges: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const offset = Math.floor(next() * Math.max(0, large.sizeBytes - rangeBytes));
      const { ms, bytes } = await timed(() => count(reader.stream(large.path, { offset, length: rangeBytes })));
      if (bytes !== Math.min(rangeBytes, large.sizeBytes))
        throw new Error(`${large.path}: ${bytes} bytes at ${offset}`);
      ranges.push(ms);
    }
    const tree = await repository.openTree(id);
    const listings: number[] = [];
    let entries = 0;
    for (let round = 0; round < 3; round += 1) {
      entries = 0;
      const list = async (folder: FolderEntry): Promise<void> => {
        for (const entry of await tree.folder(folder.treeId ?? "")) {
          entries += 1;
          if (entry.treeId !== null) await list(entry);
        }
      };
      const root = await tree.entry("/");
      const { ms } = await timed(async () => {
        if (root !== undefined) await list(root);
        return 0;
      });
      listings.push(ms / 1000);
    }
    return { warm_file_ms: median(files), warm_range_ms: median(ranges), listing_s: median(listings), entries };
  } finally {
    await repository.close();
  }
};
