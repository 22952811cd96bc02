/**
 * A repository in a local folder, in restic's default layout: `config`, `keys/`, `locks/`, `snapshots/`, `index/`, `data/xx/`, with
 * `tmp/` for files that have no name yet. Files are 0400 in folders of 0700, as restic leaves them; locked ones are immutable.
 */
import { hash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  fsyncSync,
  futimesSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { type FileHandle, open, opendir, readdir, rm, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { RefloatError } from "../../../model/refloat-error.ts";
import { syncDirectory } from "../../../platform/atomic-file.ts";
import { createLocalRetention, freeExpired } from "./local-retention.ts";
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
import { isStaleTemporary, temporaryName } from "./temporary-name.ts";

const syncData = promisify(fdatasync);
const syncAll = promisify(fsync);

const hexName = /^[0-9a-f]{64}$/;

/** Locks of processes come and go. */
const lockableKinds = ["config", "keys", "snapshots", "index", "data"] as const;

class LocalStore implements Store {
  readonly location: string;
  readonly retention: StoreRetention;
  readonly #blocking: boolean;

  constructor(location: string, options: StoreOptions) {
    this.location = location;
    this.#blocking = options.blocking;
    this.retention = createLocalRetention({
      location,
      pathOf: (kind, name) => this.#path(kind, name),
      files: () => this.#lockable(),
      makeProbe: () => {
        const path = this.#temporaryPath();
        closeSync(this.#createTemporary(path));
        return path;
      },
      missing: (kind, name, error) => this.#readFailure(kind, name, error),
      writeMarked: (kind, name, content, until) => this.#writeWhole(kind, name, content, until),
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
    const folders = kind === "data" ? await this.#dataFolders() : [join(this.location, kind)];
    for (const folder of folders) {
      let names: string[];
      try {
        names = await readdir(folder);
      } catch (error) {
        throw storeFailure(this.location, `list ${kind}`, error);
      }
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
    await this.#writeWhole(kind, name, content);
  }

  /** @param modifiedAt what is to be its modification time from the first instant */
  async #writeWhole(kind: StoreKind, name: string, content: Uint8Array, modifiedAt?: Date): Promise<void> {
    const pending = this.#begin(kind, modifiedAt);
    try {
      pending.append(content);
      await pending.finish(name);
    } catch (error) {
      pending.discard();
      throw error;
    }
  }

  begin(kind: StoreKind): PendingFile {
    return this.#begin(kind, undefined);
  }

  #begin(kind: StoreKind, modifiedAt: Date | undefined): PendingFile {
    const temporary = this.#temporaryPath();
    let fd: number | undefined;
    let finished = false;
    const guard = <Result>(act: () => Result): Result => {
      try {
        return act();
      } catch (error) {
        throw storeFailure(this.location, `write ${kind}`, error);
      }
    };
    fd = guard(() => this.#createTemporary(temporary));
    return {
      append: (part) => {
        guard(() => {
          if (fd === undefined) throw new RefloatError("bug", "a finished file of the vault was appended to");
          for (let at = 0; at < part.length;) at += writeSync(fd, part, at);
        });
      },
      finish: async (name) => {
        try {
          if (fd === undefined) throw new RefloatError("bug", "a file of the vault was finished twice");
          if (modifiedAt === undefined) await syncData(fd);
          else {
            futimesSync(fd, modifiedAt, modifiedAt);
            await syncAll(fd);
          }
          closeSync(fd);
          fd = undefined;
          await this.#publish(temporary, kind, name);
          finished = true;
        } catch (error) {
          throw storeFailure(this.location, `write ${kind}/${name}`, error);
        }
      },
      discard: () => {
        if (fd !== undefined) closeSync(fd);
        fd = undefined;
        if (!finished) rmSync(temporary, { force: true });
      },
    };
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
    if (kind === "config") return join(this.location, "config");
    if (!hexName.test(name)) throw new RefloatError("bug", `"${name}" cannot be the name of a ${kind} file`);
    return kind === "data" ? join(this.location, kind, name.slice(0, 2), name) : join(this.location, kind, name);
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

  #temporaryPath(): string {
    return join(this.location, "tmp", temporaryName(hostname(), process.pid, randomBytes(6).toString("hex")));
  }

  async #dataFolders(): Promise<string[]> {
    try {
      const entries = await readdir(join(this.location, "data"), { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => join(this.location, "data", entry.name));
    } catch (error) {
      throw storeFailure(this.location, "list data", error);
    }
  }

  #createTemporary(path: string): number {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    try {
      return openSync(path, flags, 0o400);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      // restic itself makes no tmp folder, so a repository that it made may lack one.
      mkdirSync(join(this.location, "tmp"), { mode: 0o700 });
      return openSync(path, flags, 0o400);
    }
  }

  /** The irreversible step: from here on the file exists. */
  async #publish(temporary: string, kind: StoreKind, name: string): Promise<void> {
    const path = this.#path(kind, name);
    const folder = join(path, "..");
    try {
      renameSync(temporary, path);
    } catch (error) {
      if (await this.#isThere(kind, name, error)) {
        rmSync(temporary, { force: true });
        return;
      }
      if (kind !== "data" || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      await syncDirectory(join(folder, ".."));
      renameSync(temporary, path);
    }
    await syncDirectory(folder);
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
    const room = (sizeBytes: number): Buffer =>
      typeof wanted === "object" ? wanted : Buffer.allocUnsafeSlow(wanted ?? sizeBytes);
    const path = this.#path(kind, name);
    let target: Buffer;
    let got: number;
    try {
      if (this.#blocking) {
        const fd = openSync(path, constants.O_RDONLY);
        try {
          target = room(wanted === undefined ? fstatSync(fd).size : 0);
          got = fill((at) => readSync(fd, target, at, target.length - at, offset + at), target.length);
        } finally {
          closeSync(fd);
        }
      } else {
        const handle = await open(path, "r");
        try {
          target = room(wanted === undefined ? (await handle.stat()).size : 0);
          got = await fillFrom(handle, target, offset);
        } finally {
          await handle.close();
        }
      }
    } catch (error) {
      throw this.#readFailure(kind, name, error);
    }
    if (got < target.length) {
      throw new RefloatError("vault.damaged", `the vault's ${kind} file ${name} ends too early`, {
        context: { kind, file: name, offset, wanted: target.length, found: got },
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

const fill = (readMore: (at: number) => number, wanted: number): number => {
  let at = 0;
  while (at < wanted) {
    const got = readMore(at);
    if (got === 0) break;
    at += got;
  }
  return at;
};

const fillFrom = async (handle: FileHandle, target: Buffer, offset: number): Promise<number> => {
  let at = 0;
  while (at < target.length) {
    const { bytesRead } = await handle.read(target, at, target.length - at, offset + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
};

export const openLocalStore = (path: string, options: StoreOptions): Store => new LocalStore(path, options);

/**
 * Makes the folders of an empty repository, durably. An existing empty folder is taken.
 * @throws RefloatError vault.exists if there is a config file, vault.store-failed
 */
export const createLocalStore = async (path: string, options: StoreOptions): Promise<Store> => {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const names = await readdir(path);
    if (names.includes("config")) throw new RefloatError("vault.exists", `there is a vault at ${path} already`);
    for (const folder of ["keys", "locks", "snapshots", "index", "data", "tmp"]) {
      mkdirSync(join(path, folder), { recursive: true, mode: 0o700 });
    }
    // All at once, as restic does: a folder made in the middle of a capture costs one more flush to disk.
    for (let i = 0; i < 256; i += 1)
      mkdirSync(join(path, "data", i.toString(16).padStart(2, "0")), { recursive: true, mode: 0o700 });
    for (const folder of ["data", ""]) {
      const fd = openSync(join(path, folder), "r");
      fsyncSync(fd);
      closeSync(fd);
    }
  } catch (error) {
    throw storeFailure(path, "make its folders", error);
  }
  return new LocalStore(path, options);
};
