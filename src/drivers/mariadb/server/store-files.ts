/**
 * Puts what mariadb-backup streams into the vault file by file, so that what has not changed since an earlier capture takes no room. Several files come
 * at a time; small ones are gathered, of a large one no more than a few pieces are held.
 */
import pLimit from "p-limit";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { CaptureSink, StreamReceipt, VaultProgress } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { releaseMemory } from "../../../platform/release-memory.ts";
import type { FileChange } from "./captured-server.ts";
import type { MbstreamChunk } from "./mbstream.ts";

export type StoredFiles = {
  /** Path within the data folder to its size. */
  readonly files: ReadonlyMap<string, number>;
  /** Content of those that tell of the backup itself. */
  readonly notes: ReadonlyMap<string, string>;
  /** What a restore has to do to files, in this order, since a table got another name or was dropped meanwhile. */
  readonly changes: readonly FileChange[];
};

const smallBytes = 1_048_576;
const atOnce = 12;
const longestNote = 65_536;
const zeros = new Uint8Array(smallBytes);

/** `xtrabackup_info`; since 11 `mariadb_backup_info`. */
const isNote = (path: string): boolean => /^(?:xtrabackup_|mariadb_backup_|backup-my\.cnf$)/.test(path);

type Destination = {
  readonly sink: CaptureSink;
  /** Of the data folder in the vault. */
  readonly root: string;
  readonly signal: AbortSignal;
  readonly progress: VaultProgress;
};

/** So much of a file may wait to be taken: less, and reading and storing would go on by turns. */
const mostWaiting = 4_194_304;

/** A file that is stored as it comes: whoever pushes waits while too much of it does. */
class FlowingFile {
  readonly stored: Promise<StreamReceipt>;
  readonly #pieces: Uint8Array[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #failure: { readonly reason: unknown } | null = null;
  #wakeReader: () => void = () => undefined;
  #wakeWriter: () => void = () => undefined;

  constructor(path: string, { sink, root, signal, progress }: Destination) {
    this.stored = sink.stream(`${root}/${path}`, { bytes: this.#bytes(), seal: async () => ({}) }, signal, progress);
    // Whoever pushes next, or ends it, is told.
    this.stored.catch((reason: unknown) => {
      this.#failure = { reason };
      this.#wakeWriter();
    });
  }

  async *#bytes(): ByteStream {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.reason;
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#waitingBytes -= piece.length;
        this.#wakeWriter();
        yield piece;
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  /** @throws what the vault says */
  async push(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece);
    this.#waitingBytes += piece.length;
    this.#wakeReader();
    while (this.#failure === null && this.#waitingBytes > mostWaiting)
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    if (this.#failure !== null) throw this.#failure.reason;
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    this.#wakeReader();
    await this.stored;
  }

  /** It stays out of the vault. */
  async abandon(reason: unknown): Promise<void> {
    this.#failure ??= { reason };
    this.#wakeReader();
    this.#wakeWriter();
    await this.stored.catch(() => undefined);
  }
}

type OpenFile = { sizeBytes: number; gathered: Uint8Array[]; flowing: FlowingFile | null };

const outside = (path: string): RefloatError =>
  new RefloatError(
    "source.unsupported",
    `${path.replace(/\.isl$/, "")} lies outside of the data folder (DATA DIRECTORY), where a restore beside would meet the live table`,
    {
      hint: "ALTER TABLE ... with no DATA DIRECTORY, or by a dump and a load; or declare its database as type: mariadb",
      state: "no point was made",
    },
  );

class FileStore {
  readonly files = new Map<string, number>();
  readonly notes = new Map<string, string>();
  readonly changes: FileChange[] = [];
  readonly #destination: Destination;
  readonly #open = new Map<string, OpenFile>();
  readonly #limit = pLimit(atOnce);
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly reason: unknown } | null = null;

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  async take(chunk: MbstreamChunk): Promise<void> {
    const { path } = chunk;
    if (chunk.type === "rename") this.changes.push({ path, to: chunk.to });
    else if (chunk.type === "remove") this.changes.push({ path, to: null });
    else if (chunk.type === "end") await this.#end(path);
    else {
      const file = this.#opened(path);
      if (chunk.type === "hole") await this.#fill(path, file, chunk.end);
      else {
        if (chunk.offset !== file.sizeBytes)
          throw new RefloatError("source.failed", `bytes of ${path} did not come in their order`, {
            state: "no point was made",
          });
        for await (const piece of chunk.bytes) await this.#add(path, file, piece);
      }
    }
    this.refuseFailed();
  }

  refuseFailed(): void {
    if (this.#failure !== null) throw this.#failure.reason;
  }

  /** @throws RefloatError source.failed where a file has no end */
  async finish(): Promise<void> {
    const [cut] = this.#open.keys();
    if (cut !== undefined)
      throw new RefloatError("source.failed", `mariadb-backup ended in the middle of ${cut}`, {
        state: "no point was made",
      });
    await Promise.all(this.#underWay);
    this.refuseFailed();
  }

  /** Resolves when nothing is under way any more. */
  async abandon(reason: unknown): Promise<void> {
    for (const { flowing } of this.#open.values()) await flowing?.abandon(reason);
    await Promise.all(this.#underWay);
  }

  #opened(path: string): OpenFile {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    if (path.endsWith(".isl")) throw outside(path);
    if (this.files.has(path))
      throw new RefloatError("source.failed", `mariadb-backup has sent ${path} twice`, { state: "no point was made" });
    const file: OpenFile = { sizeBytes: 0, gathered: [], flowing: null };
    this.#open.set(path, file);
    return file;
  }

  async #add(path: string, file: OpenFile, piece: Uint8Array): Promise<void> {
    file.sizeBytes += piece.length;
    if (file.flowing !== null) {
      await file.flowing.push(piece);
      return;
    }
    file.gathered.push(piece);
    if (file.sizeBytes <= smallBytes) return;
    file.flowing = new FlowingFile(path, this.#destination);
    const { gathered } = file;
    file.gathered = [];
    for (const kept of gathered) await file.flowing.push(kept);
  }

  async #fill(path: string, file: OpenFile, end: number): Promise<void> {
    while (file.sizeBytes < end)
      await this.#add(path, file, zeros.slice(0, Math.min(end - file.sizeBytes, smallBytes)));
  }

  async #end(path: string): Promise<void> {
    // A file with nothing in it has an end and no bytes.
    const file = this.#opened(path);
    this.#open.delete(path);
    this.files.set(path, file.sizeBytes);
    if (file.flowing !== null) {
      await file.flowing.end();
      return;
    }
    const content = Buffer.concat(file.gathered);
    if (isNote(path) && content.length <= longestNote) this.notes.set(path, content.toString("utf8"));
    const act = this.#limit(() => this.#storeSmall(path, content)).catch((reason: unknown) => {
      this.#failure ??= { reason };
    });
    const tracked = act.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
    if (this.#underWay.size > atOnce) await Promise.race(this.#underWay);
  }

  async #storeSmall(path: string, content: Buffer): Promise<void> {
    const { sink, root, progress } = this.#destination;
    const { sizeBytes } = await sink.bytes(`${root}/${path}`, content);
    releaseMemory(content);
    progress({ bytes: sizeBytes, items: 1 });
  }
}

/** @throws what the sink throws, RefloatError source.failed, source.unsupported; nothing is under way any more then */
export const storeFiles = async (
  chunks: AsyncIterable<MbstreamChunk>,
  destination: Destination,
): Promise<StoredFiles> => {
  const store = new FileStore(destination);
  try {
    for await (const chunk of chunks) {
      destination.signal.throwIfAborted();
      await store.take(chunk);
    }
    await store.finish();
    return store;
  } catch (error) {
    await store.abandon(error);
    throw error;
  }
};
