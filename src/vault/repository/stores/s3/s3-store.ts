/**
 * A repository in a bucket, in restic's default layout. A file is one object; a pack lies in memory until it is whole. Opened as of an
 * instant it reads by the ids of versions and writes nothing.
 */
import { RefloatError } from "../../../../model/refloat-error.ts";
import { systemClock } from "../../../../platform/system-clock.ts";
import { gatherFile } from "../gathered-file.ts";
import {
  type FileLock,
  type PendingFile,
  type Store,
  StoreFileMissing,
  type StoreKind,
  type StoreRetention,
  type StoredFile,
  configName,
} from "../store.ts";
import type { StoreSettings } from "../store-settings.ts";
import { S3Connection, type S3Patience } from "./s3-connection.ts";
import { isMissing, statusOf } from "./s3-failure.ts";
import { S3Keys } from "./s3-keys.ts";
import { createRetention } from "./s3-retention.ts";
import { upload } from "./s3-upload.ts";
import { S3Versions, lastSeenAt } from "./s3-versions.ts";

/** An upload in parts that is older is nobody's any more. */
const staleUploadMs = 24 * 60 * 60 * 1000;

/** Written once by whoever comes first; two who make a vault at the same place must not both succeed. */
const onceKinds: ReadonlySet<StoreKind> = new Set(["config", "keys", "locks"]);

type Object_ = { readonly Bucket: string; readonly Key: string; readonly VersionId?: string };

class S3Store implements Store {
  readonly location: string;
  readonly retention: StoreRetention;
  readonly #connection: S3Connection;
  readonly #keys: S3Keys;
  readonly #asOf: Date | undefined;
  readonly #versions: S3Versions | undefined;
  #hides = false;

  constructor(connection: S3Connection, asOf: Date | undefined) {
    this.location = connection.location;
    this.#connection = connection;
    this.#keys = new S3Keys(connection.prefix);
    this.#asOf = asOf;
    this.#versions = asOf === undefined ? undefined : new S3Versions(connection, this.#keys, asOf);
    this.retention = createRetention({
      connection,
      target: async (kind, name) => {
        const { Key, VersionId } = await this.#object(kind, name);
        return { key: Key, versionId: VersionId };
      },
      missing: (kind, name) => this.#missing(kind, name),
      write: async (kind, name, content, lock) => this.#write(kind, name, content, lock),
      writeAgain: async (kind, name, content, lock) => {
        await upload(this.#connection, { ...this.#file(kind, name, content, lock), onlyNew: false });
      },
      read: async (kind, name) => this.read(kind, name),
      refusePast: (act) => this.#refusePast(act),
      hides: () => this.#hides,
      lastSeen: async (kind, name) => lastSeenAt(connection, this.#keys.key(kind, name)),
    });
  }

  async *list(kind: StoreKind): AsyncGenerator<StoredFile> {
    if (kind === "config") {
      yield await this.stat("config", configName);
      return;
    }
    if (this.#versions !== undefined) {
      // Whoever held a lock then is of no concern now.
      if (kind === "locks") return;
      for (const [name, { sizeBytes }] of await this.#versions.of(kind)) yield { name, sizeBytes };
      return;
    }
    for (let token: string | undefined, more = true; more;) {
      const page = await this.#connection.act(`list ${kind}`, async (s3) =>
        s3.listObjectsV2({
          Bucket: this.#connection.bucket,
          Prefix: this.#keys.folder(kind),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
      for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
        const name = this.#keys.nameOf(kind, Key);
        if (name === undefined) continue;
        const isTold = kind === "locks" && LastModified !== undefined;
        yield { name, sizeBytes: Size, ...(isTold ? { writtenMs: LastModified.getTime() } : {}) };
      }
      token = page.NextContinuationToken;
      more = page.IsTruncated === true;
    }
  }

  async stat(kind: StoreKind, name: string): Promise<StoredFile> {
    const object = await this.#object(kind, name);
    return this.#reading(kind, name, async (s3) => {
      try {
        return { name, sizeBytes: (await s3.headObject(object)).ContentLength ?? 0 };
      } catch (error) {
        if ((statusOf(error) ?? 500) >= 500 || (isMissing(error) && kind !== "config")) throw error;
        // An answer to HEAD has no words; one to GET says whether the bucket is missing, the token expired, or what else it is.
        const { Body, ContentRange } = await s3.getObject({ ...object, Range: "bytes=0-0" });
        await Body?.transformToByteArray();
        return { name, sizeBytes: Number(ContentRange?.split("/").at(-1) ?? 0) };
      }
    });
  }

  async read(kind: StoreKind, name: string): Promise<Buffer> {
    const object = await this.#object(kind, name);
    return this.#reading(kind, name, async (s3) => {
      let target = Buffer.alloc(0);
      let filled = 0;
      let etag: string | undefined;
      await this.#connection.readBody(
        async (at) => {
          if (at > 0 && at === target.length) return nothing();
          const answer = await s3.getObject({
            ...object,
            ...(at === 0 ? {} : { Range: `bytes=${at}-` }),
            ...(etag === undefined ? {} : { IfMatch: etag }),
          });
          if (etag === undefined) target = Buffer.allocUnsafeSlow(answer.ContentLength ?? 0);
          etag = answer.ETag;
          return answer.Body as unknown as AsyncIterable<Uint8Array>;
        },
        (piece) => {
          target.set(piece, filled);
          filled += piece.length;
        },
      );
      if (filled < target.length) throw endsTooEarly(kind, name, 0, target.length, filled);
      return target;
    });
  }

  async readRange(kind: StoreKind, name: string, offset: number, length: number, into?: Buffer): Promise<Buffer> {
    const object = await this.#object(kind, name);
    const target = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length);
    if (length === 0) {
      await this.stat(kind, name);
      return target;
    }
    return this.#reading(kind, name, async (s3) => {
      let filled = 0;
      await this.#connection.readBody(
        async (at) => {
          if (at === length) return nothing();
          try {
            const answer = await s3.getObject({ ...object, Range: `bytes=${offset + at}-${offset + length - 1}` });
            return answer.Body as unknown as AsyncIterable<Uint8Array>;
          } catch (error) {
            // Nothing of the range is there.
            if (statusOf(error) === 416) return nothing();
            throw error;
          }
        },
        (piece) => {
          target.set(piece, filled);
          filled += piece.length;
        },
      );
      if (filled < length) throw endsTooEarly(kind, name, offset, length, filled);
      return target;
    });
  }

  async write(kind: StoreKind, name: string, content: Uint8Array): Promise<void> {
    await this.#write(kind, name, content, undefined);
  }

  begin(kind: StoreKind): PendingFile {
    this.#refusePast(`write ${kind}`);
    return gatherFile(async (name, content) => this.#write(kind, name, content, undefined));
  }

  async remove(kind: StoreKind, name: string): Promise<void> {
    const act = `remove ${kind}/${name}`;
    this.#refusePast(act);
    const Key = this.#keys.key(kind, name);
    await this.#connection.act(act, async (s3) => {
      try {
        const { DeleteMarker } = await s3.deleteObject({ Bucket: this.#connection.bucket, Key });
        if (DeleteMarker === true) this.#hides = true;
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  async sweep(): Promise<number> {
    this.#refusePast("sweep uploads");
    const { bucket } = this.#connection;
    const stale = systemClock.now().getTime() - staleUploadMs;
    let swept = 0;
    try {
      const { Uploads = [] } = await this.#connection.act("list uploads", async (s3) =>
        s3.listMultipartUploads({ Bucket: bucket, Prefix: this.#keys.root }),
      );
      for (const { Key, UploadId, Initiated } of Uploads) {
        if (Initiated === undefined || Initiated.getTime() > stale) continue;
        await this.#connection.act("drop an upload", async (s3) =>
          s3.abortMultipartUpload({ Bucket: bucket, Key, UploadId }),
        );
        swept += 1;
      }
    } catch (error) {
      // Without the right to see uploads there is nobody to sweep for; some servers know none.
      const refused =
        error instanceof RefloatError && (error.code === "vault.denied" || error.context["status"] === 501);
      if (!refused) throw error;
    }
    return swept;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #write(kind: StoreKind, name: string, content: Uint8Array, lock: FileLock | undefined): Promise<void> {
    const file = this.#file(kind, name, content, lock);
    this.#refusePast(file.act);
    if (await upload(this.#connection, { ...file, onlyNew: onceKinds.has(kind) })) return;
    // The answer to an earlier try may have been lost.
    if (Buffer.compare(await this.read(kind, name), content) === 0) return;
    if (kind === "config") throw vaultExists(this.location);
    await upload(this.#connection, { ...file, onlyNew: false });
  }

  #file(kind: StoreKind, name: string, content: Uint8Array, lock: FileLock | undefined) {
    const sha256 = kind === "config" ? undefined : name;
    return { key: this.#keys.key(kind, name), act: `write ${kind}/${name}`, content, sha256, lock };
  }

  /** @throws StoreFileMissing if there was none at the instant that the store is opened as of */
  async #object(kind: StoreKind, name: string): Promise<Object_> {
    const object = { Bucket: this.#connection.bucket, Key: this.#keys.key(kind, name) };
    if (this.#versions === undefined) return object;
    const version = (await this.#versions.of(kind)).get(name);
    if (version === undefined) throw this.#missing(kind, name);
    return { ...object, VersionId: version.versionId };
  }

  async #reading<Result>(
    kind: StoreKind,
    name: string,
    call: Parameters<S3Connection["act"]>[1] extends (s3: infer S3) => unknown ? (s3: S3) => Promise<Result> : never,
  ): Promise<Result> {
    return this.#connection.act(`read ${kind}/${name}`, call, () => this.#missing(kind, name));
  }

  #missing(kind: StoreKind, name: string): StoreFileMissing {
    return new StoreFileMissing(kind, name === configName ? "config" : name, this.location);
  }

  #refusePast(act: string): void {
    if (this.#asOf === undefined) return;
    throw new RefloatError("vault.read-only", `the vault is open as of ${this.#asOf.toISOString()}: it cannot ${act}`, {
      state: "nothing was changed",
      hint: "leave out --vault-as-of to write to the vault as it is now",
    });
  }
}

// oxlint-disable-next-line require-yield -- what a body is that has no bytes
async function* nothing(): AsyncGenerator<Uint8Array> {}

const endsTooEarly = (kind: StoreKind, name: string, offset: number, wanted: number, found: number): RefloatError =>
  new RefloatError("vault.damaged", `the vault's ${kind} file ${name} ends too early`, {
    context: { kind, file: name, offset, wanted, found },
  });

const vaultExists = (location: string): RefloatError =>
  new RefloatError("vault.exists", `there is a vault at ${location} already`);

/** Does not connect. @throws RefloatError vault.unsupported */
export const openS3Store = (location: string, settings: StoreSettings = {}, patience?: S3Patience): Store =>
  new S3Store(new S3Connection(location, settings.s3, patience), settings.asOf);

/**
 * The bucket must be there: only whoever makes it can switch on Object Lock.
 * @throws RefloatError vault.exists if there is a config file, vault.not-found without the bucket, vault.*
 */
export const createS3Store = async (location: string, settings: StoreSettings = {}): Promise<Store> => {
  const store = openS3Store(location, settings);
  try {
    await store.stat("config", configName);
  } catch (error) {
    if (error instanceof StoreFileMissing) return store;
    await store.close();
    throw error;
  }
  await store.close();
  throw vaultExists(store.location);
};
