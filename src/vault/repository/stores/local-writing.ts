/**
 * Writes files of a folder: under a temporary name, durably, then under their own in one step. What a killed process leaves under a temporary
 * name is swept later.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fdatasync,
  fsync,
  futimesSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { RefloatError } from "../../../model/refloat-error.ts";
import { syncDirectory } from "../../../platform/atomic-file.ts";
import { localPath } from "./local-layout.ts";
import type { PendingFile, StoreKind } from "./store.ts";
import { storeFailure } from "./store-failure.ts";
import { temporaryName } from "./temporary-name.ts";

const syncData = promisify(fdatasync);
const syncAll = promisify(fsync);

export class LocalWriter {
  readonly #location: string;
  readonly #isThere: (kind: StoreKind, name: string, error: unknown) => Promise<boolean>;

  /** @param isThere is what could not be put in its place there already? */
  constructor(location: string, isThere: (kind: StoreKind, name: string, error: unknown) => Promise<boolean>) {
    this.#location = location;
    this.#isThere = isThere;
  }

  /** An empty file with a temporary name. @returns its path @throws what the file system does */
  makeProbe(): string {
    const path = this.#temporaryPath();
    closeSync(this.#createTemporary(path));
    return path;
  }

  /** @param modifiedAt what is to be its modification time from the first instant */
  async write(kind: StoreKind, name: string, content: Uint8Array, modifiedAt?: Date): Promise<void> {
    const pending = this.begin(kind, modifiedAt);
    try {
      pending.append(content);
      await pending.finish(name);
    } catch (error) {
      pending.discard();
      throw error;
    }
  }

  begin(kind: StoreKind, modifiedAt?: Date): PendingFile {
    const temporary = this.#temporaryPath();
    let fd: number | undefined;
    let finished = false;
    const guard = <Result>(act: () => Result): Result => {
      try {
        return act();
      } catch (error) {
        throw storeFailure(this.#location, `write ${kind}`, error);
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
          throw storeFailure(this.#location, `write ${kind}/${name}`, error);
        }
      },
      discard: () => {
        if (fd !== undefined) closeSync(fd);
        fd = undefined;
        if (!finished) rmSync(temporary, { force: true });
      },
    };
  }

  #temporaryPath(): string {
    return join(this.#location, "tmp", temporaryName(hostname(), process.pid, randomBytes(6).toString("hex")));
  }

  #createTemporary(path: string): number {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    try {
      return openSync(path, flags, 0o400);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      // restic itself makes no tmp folder, so a repository that it made may lack one.
      mkdirSync(join(this.#location, "tmp"), { mode: 0o700 });
      return openSync(path, flags, 0o400);
    }
  }

  /** The irreversible step: from here on the file exists. */
  async #publish(temporary: string, kind: StoreKind, name: string): Promise<void> {
    const path = localPath(this.#location, kind, name);
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
}
