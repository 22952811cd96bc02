/**
 * A repository on an SSH server, in restic's default layout. Each handle has one connection of its own, made when it is first needed and
 * made again when it was lost; what failed with it says vault.unreachable, and to repeat it is always safe. Does not retry by itself.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import pLimit from "p-limit";
import type { FileEntryWithStats } from "ssh2";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { readSshSettings } from "../../../../platform/ssh-settings.ts";
import type { Pace } from "../decorators/throttle.ts";
import { gatherFile } from "../gathered-file.ts";
import {
  type PendingFile,
  type Store,
  StoreFileMissing,
  type StoreKind,
  type StoredFile,
  storeKinds,
} from "../store.ts";
import { isStaleTemporary, temporaryName } from "../temporary-name.ts";
import { OpenHandles } from "./open-handles.ts";
import { sftpFailure, sftpStatus, statusOf } from "./sftp-failure.ts";
import { closeHandle, openToRead, readInto, renameOver, sizeOf, syncFolder, writeNew } from "./sftp-files.ts";
import { parseSftpLocation } from "./sftp-location.ts";
import { SshSession } from "./ssh-session.ts";

export type SftpStoreOptions = {
  /** Read instead of ~/.ssh/config. */
  readonly sshConfig?: string;
  readonly pace?: Pace;
};

const hexName = /^[0-9a-f]{64}$/;
const requestsAtOnce = 16;
const folderMode = { mode: 0o700 };

class SftpStore implements Store {
  readonly location: string;
  readonly #root: string;
  readonly #options: SftpStoreOptions;
  readonly #handles = new OpenHandles();
  #session: Promise<SshSession> | undefined;
  #closed = false;

  constructor(location: string, options: SftpStoreOptions) {
    this.location = location;
    this.#root = parseSftpLocation(location).path;
    this.#options = options;
  }

  async *list(kind: StoreKind): AsyncGenerator<StoredFile> {
    if (kind === "config") {
      yield await this.stat("config", "");
      return;
    }
    const top = await this.#act(`list ${kind}`, async (session) => readFolder(session, this.#at(kind)));
    if (kind !== "data") {
      yield* filesOf(top, kind === "locks");
      return;
    }
    const limit = pLimit(requestsAtOnce);
    const folders = top
      .filter(({ attrs }) => attrs.isDirectory())
      .map(async ({ filename }) =>
        limit(async () => this.#act(`list ${kind}`, async (session) => readFolder(session, this.#at(kind, filename)))),
      );
    for (const folder of folders) folder.catch(() => undefined);
    for (const folder of folders) yield* filesOf(await folder, false);
  }

  async stat(kind: StoreKind, name: string): Promise<StoredFile> {
    const path = this.#path(kind, name);
    return this.#reading(kind, name, async (session) => {
      const { size } = await session.request<{ readonly size: number }>((sftp, done) => sftp.stat(path, done));
      return { name, sizeBytes: size };
    });
  }

  async read(kind: StoreKind, name: string): Promise<Buffer> {
    const path = this.#path(kind, name);
    return this.#reading(kind, name, async (session) => {
      const handle = await openToRead(session, path);
      try {
        const target = Buffer.allocUnsafeSlow(await sizeOf(session, handle));
        await this.#fill(session, handle, target, { kind, name, offset: 0 });
        return target;
      } finally {
        closeHandle(session, handle).catch(() => undefined);
      }
    });
  }

  async readRange(kind: StoreKind, name: string, offset: number, length: number, into?: Buffer): Promise<Buffer> {
    const path = this.#path(kind, name);
    return this.#reading(kind, name, async (session) => {
      const target = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length);
      await this.#handles.use(session, path, async (handle) =>
        this.#fill(session, handle, target, { kind, name, offset }),
      );
      return target;
    });
  }

  async write(kind: StoreKind, name: string, content: Uint8Array): Promise<void> {
    const path = this.#path(kind, name);
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    const written = { path: this.#root, bytes: content.length };
    await this.#act(`write ${kind}/${name}`, async (session) => this.#write(session, kind, path, bytes), written);
  }

  begin(kind: StoreKind): PendingFile {
    return gatherFile(async (name, content) => this.write(kind, name, content));
  }

  async remove(kind: StoreKind, name: string): Promise<void> {
    const path = this.#path(kind, name);
    await this.#act(`remove ${kind}/${name}`, async (session) => {
      this.#handles.forget(path);
      await unlink(session, path);
    });
  }

  async sweep(): Promise<number> {
    return this.#act("sweep temporary files", async (session) => {
      let entries: readonly FileEntryWithStats[];
      try {
        entries = await readFolder(session, this.#at("tmp"));
      } catch (error) {
        // restic itself makes no such folder, and who may not look into it has nothing to sweep.
        if (statusOf(error) === sftpStatus.noSuchFile || statusOf(error) === sftpStatus.permissionDenied) return 0;
        throw error;
      }
      const stale = entries.filter(({ filename }) => isStaleTemporary(filename));
      for (const { filename } of stale) {
        try {
          await unlink(session, this.#at("tmp", filename));
        } catch (error) {
          if (statusOf(error) === sftpStatus.permissionDenied) return 0;
          throw error;
        }
      }
      return stale.length;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const session = this.#session;
    this.#session = undefined;
    // One that could not be made needs no end.
    (await session?.catch(() => undefined))?.close();
  }

  /** Makes the folders of an empty repository. @throws RefloatError vault.exists */
  async create(): Promise<void> {
    const exists = await this.stat("config", "").then(
      () => true,
      (error: unknown) => {
        if (error instanceof StoreFileMissing) return false;
        throw error;
      },
    );
    if (exists) throw new RefloatError("vault.exists", `there is a vault at ${this.location} already`);
    await this.#act("make its folders", async (session) => {
      const parts = this.#root.split("/");
      for (let depth = 1; depth <= parts.length; depth += 1) {
        const path = parts.slice(0, depth).join("/");
        if (path !== "") await makeFolder(session, path);
      }
      const names = [...storeKinds.filter((kind) => kind !== "config"), "tmp"];
      await Promise.all(names.map(async (name) => makeFolder(session, this.#at(name))));
      const prefixes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
      await Promise.all(prefixes.map(async (prefix) => makeFolder(session, this.#at("data", prefix))));
      for (const folder of ["data", ""]) await syncFolder(session, this.#at(folder));
    });
  }

  #at(...parts: readonly string[]): string {
    return [this.#root, ...parts.filter((part) => part !== "")].join("/");
  }

  #path(kind: StoreKind, name: string): string {
    if (kind === "config") return this.#at("config");
    if (!hexName.test(name)) throw new RefloatError("bug", `"${name}" cannot be the name of a ${kind} file`);
    return kind === "data" ? this.#at(kind, name.slice(0, 2), name) : this.#at(kind, name);
  }

  async #connected(): Promise<SshSession> {
    if (this.#closed) throw new RefloatError("bug", "the vault's store was used after it was closed");
    const known = this.#session;
    if (known !== undefined && !(await known).isLost) return known;
    // Another call may have begun to connect while this one waited.
    if (this.#session !== known && this.#session !== undefined) return this.#session;
    const { host, user, port } = parseSftpLocation(this.location);
    const connecting = readSshSettings({ host, user, port, configFile: this.#options.sshConfig }).then(
      async (settings) => SshSession.connect(settings),
    );
    this.#session = connecting;
    connecting.catch(() => {
      if (this.#session === connecting) this.#session = undefined;
    });
    return connecting;
  }

  async #act<Result>(
    act: string,
    run: (session: SshSession) => Promise<Result>,
    written?: { readonly path: string; readonly bytes: number },
  ): Promise<Result> {
    let session: SshSession | undefined;
    try {
      session = await this.#connected();
      return await run(session);
    } catch (error) {
      throw await sftpFailure(error, {
        location: this.location,
        act,
        session,
        ...(written === undefined ? {} : { written }),
      });
    }
  }

  async #reading<Result>(
    kind: StoreKind,
    name: string,
    run: (session: SshSession) => Promise<Result>,
  ): Promise<Result> {
    return this.#act(`read ${kind}/${name}`, async (session) => {
      try {
        return await run(session);
      } catch (error) {
        if (statusOf(error) !== sftpStatus.noSuchFile) throw error;
        throw new StoreFileMissing(kind, name === "" ? "config" : name, this.location, error);
      }
    });
  }

  async #fill(
    session: SshSession,
    handle: Buffer,
    target: Buffer,
    { kind, name, offset }: { readonly kind: StoreKind; readonly name: string; readonly offset: number },
  ): Promise<void> {
    const found = await readInto(session, handle, target, offset, this.#options.pace);
    if (found === target.length) return;
    throw new RefloatError("vault.damaged", `the vault's ${kind} file ${name} ends too early`, {
      context: { kind, file: name, offset, wanted: target.length, found },
    });
  }

  async #write(session: SshSession, kind: StoreKind, path: string, content: Buffer): Promise<void> {
    const name = temporaryName(hostname(), process.pid, randomBytes(6).toString("hex"));
    const temporary = this.#at("tmp", name);
    try {
      try {
        await writeNew(session, temporary, content, this.#options.pace);
      } catch (error) {
        if (statusOf(error) !== sftpStatus.noSuchFile) throw error;
        await makeFolder(session, this.#at("tmp"));
        await writeNew(session, temporary, content, this.#options.pace);
      }
      await this.#publish(session, kind, temporary, path);
    } catch (error) {
      // What cannot be removed now, since the connection is gone, is swept later.
      await unlink(session, temporary).catch(() => undefined);
      throw error;
    }
  }

  /** The irreversible step: from here on the file exists. */
  async #publish(session: SshSession, kind: StoreKind, temporary: string, path: string): Promise<void> {
    const folder = path.slice(0, path.lastIndexOf("/"));
    try {
      await renameOver(session, temporary, path);
    } catch (error) {
      if (kind !== "data" || statusOf(error) !== sftpStatus.noSuchFile) throw error;
      await makeFolder(session, folder);
      await syncFolder(session, this.#at("data"));
      await renameOver(session, temporary, path);
    }
    await syncFolder(session, folder);
  }
}

const readFolder = async (session: SshSession, path: string): Promise<readonly FileEntryWithStats[]> =>
  session.request<FileEntryWithStats[]>((sftp, done) => sftp.readdir(path, done));

/** A half-written file of another program stands beside the finished ones under another kind of name. */
const filesOf = (entries: readonly FileEntryWithStats[], isTimed: boolean): readonly StoredFile[] =>
  entries
    .filter(({ filename }) => hexName.test(filename))
    .map(({ filename, attrs: { size, mtime } }) => ({
      name: filename,
      sizeBytes: size,
      // A server may leave times out.
      ...(isTimed && mtime > 0 ? { writtenMs: mtime * 1000 } : {}),
    }));

/** A file that is not there any more is no error. */
const unlink = async (session: SshSession, path: string): Promise<void> => {
  try {
    await session.request((sftp, done) => sftp.unlink(path, done));
  } catch (error) {
    if (statusOf(error) !== sftpStatus.noSuchFile) throw error;
  }
};

/** One that is there is as good: another writer may have made it at the same moment. */
const makeFolder = async (session: SshSession, path: string): Promise<void> => {
  try {
    await session.request((sftp, done) => sftp.mkdir(path, folderMode, done));
  } catch (error) {
    const found = await session
      .request<{ readonly isDirectory: () => boolean }>((sftp, done) => sftp.stat(path, done))
      .catch(() => undefined);
    if (found?.isDirectory() !== true) throw error;
  }
};

/** Connects when it is first used. @throws RefloatError vault.unsupported for a location that cannot be read */
export const openSftpStore = (location: string, options: SftpStoreOptions): Store => new SftpStore(location, options);

/** @throws RefloatError vault.exists, vault.unreachable, vault.denied, vault.untrusted-server, vault.store-failed */
export const createSftpStore = async (location: string, options: SftpStoreOptions): Promise<Store> => {
  const store = new SftpStore(location, options);
  try {
    await store.create();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
};
