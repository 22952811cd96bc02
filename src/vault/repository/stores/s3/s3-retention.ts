/** Locks of files by S3's Object Lock. The server keeps them, version by version, against everyone. */
import { hash } from "node:crypto";
import type { HeadObjectCommandOutput, S3 } from "@aws-sdk/client-s3";
import { systemClock } from "../../../../platform/system-clock.ts";
import type { FileLock, LockAbility, StoreKind, StoreRetention } from "../store.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import type { S3Connection } from "./s3-connection.ts";
import { stricterLock } from "../stricter-lock.ts";
import { hasCode } from "./s3-failure.ts";

type Target = { readonly key: string; readonly versionId: string | undefined };

export type RetentionOptions = {
  readonly connection: S3Connection;
  /** @throws StoreFileMissing for what there is no version of at the instant that the store is opened as of */
  readonly target: (kind: StoreKind, name: string) => Promise<Target>;
  readonly missing: (kind: StoreKind, name: string) => RefloatError;
  readonly write: (kind: StoreKind, name: string, content: Uint8Array, lock: FileLock | undefined) => Promise<void>;
  /** As one more version, although there is such a file. */
  readonly writeAgain: (kind: StoreKind, name: string, content: Uint8Array, lock: FileLock) => Promise<void>;
  readonly read: (kind: StoreKind, name: string) => Promise<Buffer>;
  readonly refusePast: (act: string) => void;
  readonly lastSeen: NonNullable<StoreRetention["lastSeen"]>;
  readonly hides: () => boolean;
};

const notSwitchedOn: LockAbility = {
  locks: false,
  reason: "Object Lock is not switched on for the bucket",
  keptBy: "nobody",
};

const modeOf = (mode: string | undefined): FileLock["mode"] => (mode === "COMPLIANCE" ? "compliance" : "governance");

const lockOfHead = ({ ObjectLockMode, ObjectLockRetainUntilDate }: HeadObjectCommandOutput): FileLock | null =>
  ObjectLockRetainUntilDate === undefined ? null : { until: ObjectLockRetainUntilDate, mode: modeOf(ObjectLockMode) };

/** S3 counts whole seconds; a lock must not end before what was asked for. */
const wholeSeconds = ({ until, mode }: FileLock): FileLock => ({
  until: new Date(Math.ceil(until.getTime() / 1000) * 1000),
  mode,
});

/**
 * A lock of seconds may end while the capture is still at it, and a server refuses one that lies in the past. Our clock alone does not say so:
 * it may have jumped, and the point would be without a lock.
 */
const isRefusedAsOver = (error: unknown, { until }: FileLock): boolean => {
  const refused = error instanceof RefloatError ? { name: error.context["code"] } : error;
  return hasCode(refused, "InvalidArgument", "InvalidRequest") && until <= systemClock.now();
};

type Refused = { readonly error: unknown; readonly wanted: FileLock };

const sameLock = (a: FileLock, b: FileLock): boolean => a.mode === b.mode && a.until.getTime() === b.until.getTime();

export const createRetention = (options: RetentionOptions): StoreRetention => {
  const { connection, target, missing, write, refusePast } = options;
  const { bucket } = connection;

  /** @param content undefined if only the lock is asked for, whatever it is that is locked */
  const ask = async (
    kind: StoreKind,
    name: string,
    content: { readonly atLeastBytes: number; readonly sha256: string } | undefined,
  ): Promise<FileLock | null> => {
    const { key, versionId } = await target(kind, name);
    return connection.act(
      `ask for the lock of ${kind}/${name}`,
      async (s3) => {
        const object = { Bucket: bucket, Key: key, ...version(versionId) };
        if (content === undefined) return lockOfVersion(s3, key, await s3.headObject(object));
        const head = await s3.headObject({ ...object, ChecksumMode: "ENABLED" });
        await requireContent(s3, { bucket, key, kind, name, sha256: content.sha256 }, head);
        if ((head.ContentLength ?? 0) < content.atLeastBytes) throw replaced(kind, name);
        return lockOfVersion(s3, key, head);
      },
      () => missing(kind, name),
    );
  };

  const lockOfVersion = async (s3: S3, key: string, head: HeadObjectCommandOutput): Promise<FileLock | null> => {
    const present = lockOfHead(head);
    if (present !== null) return present;
    try {
      // Without the right to see locks the answer to HEAD is the same as without a lock; this one tells them apart.
      const { Retention } = await s3.getObjectRetention({ Bucket: bucket, Key: key, ...version(head.VersionId) });
      const until = Retention?.RetainUntilDate;
      return until === undefined ? null : { until, mode: modeOf(Retention?.Mode) };
    } catch (error) {
      if (hasCode(error, "NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "InvalidRequest"))
        return null;
      throw error;
    }
  };

  /** @returns the lock that it has now; or what keeps a governance lock from becoming a compliance one in its place */
  const lockInPlace = async (
    kind: StoreKind,
    name: string,
    wanted: FileLock,
    sha256: string,
  ): Promise<FileLock | Refused> => {
    refusePast(`lock ${kind}/${name}`);
    const { key } = await target(kind, name);
    return connection.act(
      `lock ${kind}/${name}`,
      async (s3) => {
        // Of the version that was looked at: another may come between.
        const head = await s3.headObject({ Bucket: bucket, Key: key, ChecksumMode: "ENABLED" });
        await requireContent(s3, { bucket, key, kind, name, sha256 }, head);
        const present = lockOfHead(head);
        const asked = wholeSeconds(wanted);
        const next = present === null ? asked : stricterLock(present, asked);
        if (present !== null && sameLock(present, next)) return present;
        const isStricter = present?.mode === "governance" && next.mode === "compliance";
        try {
          await s3.putObjectRetention({
            Bucket: bucket,
            Key: key,
            ...version(head.VersionId),
            // To become stricter counts as a change of a governance lock, which needs a right of its own.
            ...(isStricter ? { BypassGovernanceRetention: true } : {}),
            Retention: {
              Mode: next.mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
              RetainUntilDate: next.until,
            },
          });
        } catch (error) {
          if (isStricter && hasCode(error, "AccessDenied")) return { error, wanted: next };
          if (!isRefusedAsOver(error, next)) throw error;
        }
        return next;
      },
      () => missing(kind, name),
    );
  };

  /** Who may not turn a governance lock into a compliance lock writes the same file again, as a version that is locked as it should be. */
  const lock: StoreRetention["lock"] = async (kind, name, wanted, sha256 = name) => {
    const locked = await lockInPlace(kind, name, wanted, sha256);
    if (!("error" in locked)) return locked;
    const content = await options.read(kind, name);
    if (hash("sha256", content, "hex") !== sha256) throw replaced(kind, name);
    await options.writeAgain(kind, name, content, locked.wanted);
    const again = await lockInPlace(kind, name, wanted, sha256);
    if (!("error" in again)) return again;
    return connection.act(`lock ${kind}/${name}`, async () => {
      throw again.error;
    });
  };

  return {
    support: async () =>
      connection.act("ask whether files can be locked", async (s3) => {
        try {
          const { ObjectLockConfiguration } = await s3.getObjectLockConfiguration({ Bucket: bucket });
          return ObjectLockConfiguration?.ObjectLockEnabled === "Enabled"
            ? { locks: true, reason: null, keptBy: "server" }
            : notSwitchedOn;
        } catch (error) {
          if (hasCode(error, "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "InvalidRequest"))
            return notSwitchedOn;
          if (hasCode(error, "NotImplemented", "MethodNotAllowed"))
            return { locks: false, reason: "the server knows no Object Lock", keptBy: "nobody" };
          throw error;
        }
      }),
    lockOf: async (kind, name) => ask(kind, name, undefined),
    lockOfContent: async (kind, name, atLeastBytes, sha256 = name) => ask(kind, name, { atLeastBytes, sha256 }),
    lock,
    hides: options.hides,
    lastSeen: options.lastSeen,
    writeLocked: async (kind, name, content, wanted) => {
      const asked = wholeSeconds(wanted);
      try {
        await write(kind, name, content, asked);
      } catch (error) {
        if (!isRefusedAsOver(error, asked)) throw error;
        await write(kind, name, content, undefined);
      }
      // Not every server takes a lock with an upload in parts, and one that knows no locks takes none without a word.
      await lock(kind, name, wanted);
    },
  };
};

const version = (versionId: string | undefined) => (versionId === undefined ? {} : { VersionId: versionId });

type Named = {
  readonly bucket: string;
  readonly key: string;
  readonly kind: StoreKind;
  readonly name: string;
  /** Of what it has to hold. */
  readonly sha256: string;
};

/**
 * Is what is there now what has to be there? To lock anything else would protect nothing. A server that keeps checksums tells at once; with
 * another one the file is read, but only if it has versions that differ. The config is small, and is read whenever the server does not tell.
 */
const requireContent = async (
  s3: S3,
  { bucket, key, kind, name, sha256 }: Named,
  head: HeadObjectCommandOutput,
): Promise<void> => {
  if (head.ChecksumSHA256 !== undefined && head.ChecksumType !== "COMPOSITE") {
    if (Buffer.from(head.ChecksumSHA256, "base64").toString("hex") === sha256) return;
    throw replaced(kind, name);
  }
  if (kind !== "config" && (await hasOneContent(s3, bucket, key))) return;
  const { Body } = await s3.getObject({ Bucket: bucket, Key: key, ...version(head.VersionId) });
  if (hash("sha256", (await Body?.transformToByteArray()) ?? Buffer.alloc(0), "hex") !== sha256)
    throw replaced(kind, name);
};

const hasOneContent = async (s3: S3, bucket: string, key: string): Promise<boolean> => {
  const { Versions = [], IsTruncated } = await s3.listObjectVersions({ Bucket: bucket, Prefix: key, MaxKeys: 10 });
  const own = Versions.filter(({ Key }) => Key === key);
  const isSame = own.every(({ ETag, Size }) => ETag === own[0]?.ETag && Size === own[0]?.Size);
  return isSame && (IsTruncated !== true || own.length < Versions.length);
};

const replaced = (kind: StoreKind, name: string): RefloatError =>
  new RefloatError("vault.damaged", `the vault's ${kind} file ${name || "config"} was replaced by something else`, {
    context: { kind, file: name },
    hint: "open the vault as of a time before that with --vault-as-of, and verify it",
  });
