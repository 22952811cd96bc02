/**
 * A folder of copies of a vault's files, by kind and name, shared by all vaults and processes of a user. Sealed as in the vault; a copy
 * whose content is not what its name says is dropped. Bounded: what was used longest ago goes first. May be deleted at any time, and never
 * makes anything fail: what cannot be kept is fetched again.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export const cachedKinds = ["index", "snapshots", "data"] as const;
export type CachedKind = (typeof cachedKinds)[number];

/** Structured-cloneable. */
export type CacheSettings = { readonly folder: string; readonly maxBytes: number };

const hexName = /^[0-9a-f]{64}$/;
/** A writer that was killed leaves its unnamed copy; a living one has it no longer than this. */
const staleCopyMs = 3_600_000;
const mostAttempts = 3;

export const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

export class CacheFolder {
  readonly #settings: CacheSettings;
  readonly #warn: (message: string, fields: Record<string, unknown>) => void;
  /** Grown by this much since the folder was last measured; it is measured when the first copy is kept. */
  #grownBytes = Number.POSITIVE_INFINITY;
  #off = false;

  constructor(settings: CacheSettings, warn: (message: string, fields: Record<string, unknown>) => void) {
    this.#settings = settings;
    this.#warn = warn;
  }

  /** @returns undefined if there is no good copy */
  get(kind: CachedKind, name: string): Buffer | undefined {
    const path = this.#path(kind, name);
    try {
      const content = readFileSync(path);
      if (sha256(content) === name) {
        this.#touch(path);
        return content;
      }
      this.#warn("a copy in the cache was damaged and is fetched again", { kind, name });
      rmSync(path, { force: true });
    } catch (error) {
      this.#unlessMissing("read from", error);
    }
    return undefined;
  }

  /** Opens a copy to read parts of it. @returns undefined if there is no good one */
  open(kind: CachedKind, name: string): CachedFile | undefined {
    // Reading it whole is what tells that it is good; a pack takes some milliseconds.
    const content = this.get(kind, name);
    if (content === undefined) return undefined;
    try {
      return new CachedFile(openSync(this.#path(kind, name), constants.O_RDONLY));
    } catch (error) {
      this.#unlessMissing("read from", error);
      return undefined;
    }
  }

  /** Keeps a copy. Content that is not what its name says is not kept. */
  put(kind: CachedKind, name: string, content: Uint8Array): void {
    if (this.#off || content.length > this.#settings.maxBytes / 2 || sha256(content) !== name) return;
    try {
      if (!this.#keep(kind, name, content)) return;
    } catch (error) {
      this.#off = true;
      this.#warn("nothing more is kept in the cache: it cannot be written to", {
        folder: this.#settings.folder,
        error: String(error),
      });
      return;
    }
    this.#grownBytes += content.length;
    if (this.#grownBytes > this.#settings.maxBytes / 16) this.#shrink();
  }

  /** @returns whether it is kept: somebody may delete the folder between any two of these steps, again and again */
  #keep(kind: CachedKind, name: string, content: Uint8Array): boolean {
    const folder = join(this.#settings.folder, kind);
    const copy = join(folder, `${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        writeFileSync(copy, content, { mode: 0o600 });
        renameSync(copy, this.#path(kind, name));
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
        rmSync(copy, { force: true });
        throw error;
      }
    }
    return false;
  }

  #path(kind: CachedKind, name: string): string {
    return join(this.#settings.folder, kind, name);
  }

  #touch(path: string): void {
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch {
      // Another process may have removed it; then it is no longer of use either.
    }
  }

  /** Several processes may do it at once: each removes what it thinks oldest, and what is gone is gone. */
  #shrink(): void {
    const copies = cachedKinds.flatMap((kind) => this.#copiesOf(kind));
    let bytes = copies.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (const copy of copies.sort((a, b) => a.usedMs - b.usedMs)) {
      const isStale = !copy.isNamed && Date.now() - copy.usedMs > staleCopyMs;
      if (!isStale && bytes <= this.#settings.maxBytes) continue;
      rmSync(copy.path, { force: true });
      bytes -= copy.sizeBytes;
    }
    this.#grownBytes = 0;
  }

  #copiesOf(kind: CachedKind) {
    const folder = join(this.#settings.folder, kind);
    let names: readonly string[];
    try {
      names = readdirSync(folder);
    } catch {
      return [];
    }
    return names.flatMap((name) => {
      const path = join(folder, name);
      try {
        const { size, mtimeMs } = statSync(path);
        return [{ path, sizeBytes: size, usedMs: mtimeMs, isNamed: hexName.test(name) }];
      } catch {
        return [];
      }
    });
  }

  #unlessMissing(act: string, error: unknown): void {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    this.#warn(`a copy in the cache could not be ${act}`, { error: String(error) });
  }
}

/** Stays readable when the copy is removed meanwhile. */
export class CachedFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns undefined if it could not be read whole */
  readRange(offset: number, length: number): Buffer | undefined {
    const target = Buffer.allocUnsafeSlow(length);
    try {
      for (let at = 0; at < length;) {
        const got = readSync(this.#fd, target, at, length - at, offset + at);
        if (got === 0) return undefined;
        at += got;
      }
      return target;
    } catch {
      return undefined;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
