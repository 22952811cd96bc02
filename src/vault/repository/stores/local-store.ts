/**
 * A repository in a local folder, in restic's default layout: `config`, `keys/`, `locks/`, `snapshots/`, `index/`, `data/xx/`, with
 * `tmp/` for files that have no name yet. Files are 0400 in folders of 0700, as restic leaves them; locked ones are immutable.
 */
import { hash } from "node:crypto";
import { opendir, readdir, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { foldersOf, hexName, localPath, makeFolders } from "./local-layout.ts";
import { type LocalRead, readLocal } from "./local-reading.ts";
import { createLocalRetention, freeExpired } from "./local-retention.ts";
import { LocalWriter } from "./local-writing.ts";
import {
  type PendingFile,
  type Store,
  StoreFileMissing,
  type StoreKind,
  type StoreRetention,
  type StoredFile,
  configName,
} from "./store.ts";
import type { StoreOptions } from "./store-settings.ts";
import { storeFailure } from "./store-failure.ts";
import { isStaleTemporary } from "./temporary-name.ts";

/** Locks of processes come and go. */
const lockableKinds = ["config", "keys", "snapshots", "index", "data"] as const;

class LocalStore implements Store {
  readonly location: string;
  readonly retention: StoreRetention;
  readonly #blocking: boolean;
  readonly #writer: LocalWriter;

  constructor(location: string, options: StoreOptions) {
    this.location = location;
    this.#blocking = options.blocking;
    this.#writer = new LocalWriter(location, async (kind, name, error) => this.#isThere(kind, name, error));
    this.retention = createLocalRetention({
      location,
      pathOf: (kind, name) => this.#path(kind, name),
      files: () => this.#lockable(),
      makeProbe: () => this.#writer.makeProbe(),
      missing: (kind, name, error) => this.#readFailure(kind, name, error),
      writeMarked: async (kind, name, content, until) => this.#writer.write(kind, name, content, until),
    });
  }

  async *#lockable(): AsyncGenerator<{ readonly kind: StoreKind; readonly name: string }> {
    for (const kind of lockableKinds) for await (const { name } of this.list(kind)) yield { kind, name };
  }

  async *list(kind: StoreKind): AsyncGenerator<StoredFile> {
    if (kind === "config") {
      yield await this.stat("config", "");
      return;
    }
    const listing = async <Result>(reading: Promise<Result>): Promise<Result> => {
      try {
        return await reading;
      } catch (error) {
        throw storeFailure(this.location, `list ${kind}`, error);
      }
    };
    for (const folder of await listing(foldersOf(this.location, kind))) {
      const names = await listing(readdir(folder));
      for (const name of names) {
        // A half-written file of another program stands beside the finished ones under another kind of name.
        if (!hexName.test(name)) continue;
        try {
          const { size, mtimeMs } = await stat(join(folder, name));
          // The time of any other file may be the end of its lock.
          yield { name, sizeBytes: size, ...(kind === "locks" ? { writtenMs: mtimeMs } : {}) };
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOENT")
            throw storeFailure(this.location, `list ${kind}`, error);
        }
      }
    }
  }

  async stat(kind: StoreKind, name: string): Promise<StoredFile> {
    try {
      return { name, sizeBytes: (await stat(this.#path(kind, name))).size };
    } catch (error) {
      throw this.#readFailure(kind, name, error);
    }
  }

  async read(kind: StoreKind, name: string): Promise<Buffer> {
    return this.#readAt(kind, name, 0, undefined);
  }

  async readRange(kind: StoreKind, name: string, offset: number, length: number, into?: Buffer): Promise<Buffer> {
    return this.#readAt(kind, name, offset, into?.subarray(0, length) ?? length);
  }

  async write(kind: StoreKind, name: string, content: Uint8Array): Promise<void> {
    await this.#writer.write(kind, name, content);
  }

  begin(kind: StoreKind): PendingFile {
    return this.#writer.begin(kind);
  }

  async remove(kind: StoreKind, name: string): Promise<void> {
    const path = this.#path(kind, name);
    try {
      await this.#unlink(path, `${kind}/${name.slice(0, 8)}`);
    } catch (error) {
      throw storeFailure(this.location, `remove ${kind}/${name}`, error);
    }
  }

  async sweep(): Promise<number> {
    const folder = join(this.location, "tmp");
    let swept = 0;
    try {
      for await (const entry of await opendir(folder)) {
        const path = join(folder, entry.name);
        if (!isStaleTemporary(entry.name)) continue;
        await this.#unlink(path, `tmp/${entry.name}`);
        swept += 1;
      }
    } catch (error) {
      // Without the folder there is nothing to sweep; without the right to write there is nobody to sweep for.
      if (
        !["ENOENT", "EACCES", "EROFS", "EPERM", "vault.denied"].includes((error as NodeJS.ErrnoException).code ?? "")
      ) {
        throw storeFailure(this.location, "sweep temporary files", error);
      }
    }
    return swept;
  }

  async close(): Promise<void> {
    // Nothing is held open between calls.
  }

  #path(kind: StoreKind, name: string): string {
    return localPath(this.location, kind, name);
  }

  /** A lock that is over leaves its flag behind; so does a process that was killed while it tried whether files can be locked. */
  async #unlink(path: string, file: string): Promise<void> {
    try {
      await unlink(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EPERM" || !(await freeExpired(path, file, this.location))) throw error;
      await rm(path, { force: true });
    }
  }

  /** Nothing replaces a locked file; when it is what was to be written, as after a retry, nothing needs to. */
  async #isThere(kind: StoreKind, name: string, error: unknown): Promise<boolean> {
    if ((error as NodeJS.ErrnoException).code !== "EPERM" || name === configName) return false;
    try {
      return hash("sha256", await this.read(kind, name), "hex") === name;
    } catch {
      return false;
    }
  }

  async #readAt(kind: StoreKind, name: string, offset: number, wanted: Buffer | number | undefined): Promise<Buffer> {
    let read: LocalRead;
    try {
      read = await readLocal(this.#path(kind, name), this.#blocking, offset, wanted);
    } catch (error) {
      throw this.#readFailure(kind, name, error);
    }
    const { target, found } = read;
    if (found < target.length) {
      throw new RefloatError("vault.damaged", `the vault's ${kind} file ${name} ends too early`, {
        context: { kind, file: name, offset, wanted: target.length, found },
      });
    }
    return target;
  }

  #readFailure(kind: StoreKind, name: string, error: unknown): RefloatError {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return new StoreFileMissing(kind, name === "" ? "config" : name, this.location, error);
    }
    return storeFailure(this.location, `read ${kind}/${name}`, error);
  }
}

export const openLocalStore = (path: string, options: StoreOptions): Store => new LocalStore(path, options);

/**
 * Makes the folders of an empty repository, durably. An existing empty folder is taken.
 * @throws RefloatError vault.exists if there is a config file, vault.store-failed
 */
export const createLocalStore = async (path: string, options: StoreOptions): Promise<Store> => {
  try {
    await makeFolders(path);
  } catch (error) {
    throw storeFailure(path, "make its folders", error);
  }
  return new LocalStore(path, options);
};
