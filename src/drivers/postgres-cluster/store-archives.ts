/**
 * Puts the archives of a base backup into the vault file by file, so that what has not changed since an earlier one takes no room. Small
 * files, of which a cluster has thousands, are stored several at a time; of a large one no more than a few pieces are held.
 */
import pLimit from "p-limit";
import type { CaptureSink, VaultProgress } from "../../core/ports/vault-snapshots.ts";
import { releaseMemory } from "../../platform/release-memory.ts";
import type { BackupArchive } from "./base-backup.ts";
import type { StoredFile } from "./backup-manifest.ts";
import { type ArchivedEntry, readTarEntries } from "./tar-entries.ts";
import { dataFolder, placeInVault } from "./vault-places.ts";

export type StoredArchives = {
  /** By path within the backup, as its manifest names them. */
  readonly files: ReadonlyMap<string, StoredFile>;
  /** Folders of the data folder, and of each tablespace: empty ones are in no file's path, and the server needs them. */
  readonly folders: Readonly<Record<string, readonly string[]>>;
};

const smallBytes = 1_048_576;
const atOnce = 12;

const gather = async ({ bytes, sizeBytes }: ArchivedEntry): Promise<Buffer> => {
  const whole = Buffer.allocUnsafeSlow(sizeBytes);
  let filled = 0;
  for await (const piece of bytes) {
    whole.set(piece, filled);
    filled += piece.length;
  }
  return whole;
};

/** @throws what the sink and the server throw; nothing is under way any more then */
export const storeArchives = async (
  archives: AsyncIterable<BackupArchive>,
  destination: {
    readonly sink: CaptureSink;
    readonly root: string;
    readonly signal: AbortSignal;
    readonly progress: VaultProgress;
  },
): Promise<StoredArchives> => {
  const { sink, root, signal, progress } = destination;
  const files = new Map<string, StoredFile>();
  const folders: Record<string, string[]> = {};
  const limit = pLimit(atOnce);
  const underWay = new Set<Promise<void>>();
  let failure: { readonly reason: unknown } | null = null;

  const storeSmall = async (path: string, name: string, content: Buffer): Promise<void> => {
    const { sizeBytes, sha256 } = await sink.bytes(path, content);
    releaseMemory(content);
    progress({ bytes: sizeBytes, items: 1 });
    files.set(name, { sizeBytes, sha256 });
  };
  const store = async (entry: ArchivedEntry, tablespace: string | null): Promise<void> => {
    const path = `${placeInVault(root, tablespace)}/${entry.path}`;
    const name = tablespace === null ? entry.path : `pg_tblspc/${tablespace}/${entry.path}`;
    if (entry.sizeBytes > smallBytes) {
      const { sizeBytes, sha256 } = await sink.stream(
        path,
        { bytes: entry.bytes, seal: async () => ({}) },
        signal,
        progress,
      );
      files.set(name, { sizeBytes, sha256 });
      return;
    }
    const content = await gather(entry);
    const act = limit(() => storeSmall(path, name, content)).catch((reason: unknown) => {
      failure ??= { reason };
    });
    const tracked = act.finally(() => underWay.delete(tracked));
    underWay.add(tracked);
    if (underWay.size > atOnce) await Promise.race(underWay);
  };
  try {
    for await (const { tablespace, content } of archives) {
      const own = (folders[tablespace ?? dataFolder] ??= []);
      for await (const entry of readTarEntries(content)) {
        signal.throwIfAborted();
        if (failure !== null) break;
        if (entry.type === "folder" && entry.path !== "" && entry.path !== ".") own.push(entry.path);
        // A link of pg_tblspc: the tablespace comes in an archive of its own, and where it lies is decided when it is restored.
        else if (entry.type === "file") await store(entry, tablespace);
      }
      if (failure !== null) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  const failed = failure as { readonly reason: unknown } | null;
  if (failed !== null) throw failed.reason;
  return { files, folders };
};
