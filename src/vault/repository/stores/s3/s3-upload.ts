/** Puts one file into the bucket: whole, or in parts when it is large. Checked by the server against our checksums. */
import { hash } from "node:crypto";
import type { FileLock } from "../store.ts";
import type { S3Connection } from "./s3-connection.ts";
import { hasCode } from "./s3-failure.ts";

const partBytes = 32 * 1024 * 1024;
/** A pack is half of it; only trees of millions of entries and large indexes are larger. */
const largestWholeBytes = 64 * 1024 * 1024;

export type Upload = {
  readonly key: string;
  /** As in `write data/3f`. */
  readonly act: string;
  readonly content: Uint8Array;
  /** SHA-256 of the content, hex, where it is known: servers that can keep it with the file. */
  readonly sha256: string | undefined;
  readonly lock: FileLock | undefined;
  /** Only if there is no such file. */
  readonly onlyNew: boolean;
};

const md5 = (bytes: Uint8Array): string => hash("md5", bytes, "base64");

export const lockFields = (lock: FileLock | undefined) =>
  lock === undefined
    ? {}
    : ({
        ObjectLockMode: lock.mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
        ObjectLockRetainUntilDate: lock.until,
      } as const);

/** @returns false if `onlyNew` was asked for and there is one @throws RefloatError vault.* */
export const upload = async (connection: S3Connection, file: Upload): Promise<boolean> => {
  const whole = file.content.length <= largestWholeBytes;
  const put = whole ? putWhole : putParts;
  try {
    await put(connection, file, file.onlyNew ? { IfNoneMatch: "*" } : {});
  } catch (error) {
    const said = error instanceof Error ? error.cause : undefined;
    if (file.onlyNew && hasCode(said, "PreconditionFailed", "ConditionalRequestConflict")) return false;
    if (!file.onlyNew || !hasCode(said, "NotImplemented")) throw error;
    // A server that knows no conditions; names that are hashes make a collision harmless.
    await put(connection, file, {});
  }
  return true;
};

type Condition = { readonly IfNoneMatch?: string };

const putWhole = async (connection: S3Connection, file: Upload, condition: Condition): Promise<void> => {
  const { key, act, content, sha256, lock } = file;
  await connection.act(act, async (s3) =>
    s3.putObject({
      Bucket: connection.bucket,
      Key: key,
      Body: content,
      ContentLength: content.length,
      ContentMD5: md5(content),
      ...(sha256 === undefined ? {} : { ChecksumSHA256: Buffer.from(sha256, "hex").toString("base64") }),
      ...lockFields(lock),
      ...condition,
    }),
  );
};

const putParts = async (connection: S3Connection, file: Upload, condition: Condition): Promise<void> => {
  const { key, act, content, lock } = file;
  const object = { Bucket: connection.bucket, Key: key };
  const { UploadId } = await connection.act(act, async (s3) =>
    s3.createMultipartUpload({ ...object, ...lockFields(lock) }),
  );
  try {
    const starts = Array.from({ length: Math.ceil(content.length / partBytes) }, (_, at) => at * partBytes);
    const sent = await Promise.all(
      starts.map(async (start, at) => {
        const part = content.subarray(start, start + partBytes);
        const PartNumber = at + 1;
        const { ETag } = await connection.act(act, async (s3) =>
          s3.uploadPart({
            ...object,
            UploadId,
            PartNumber,
            Body: part,
            ContentLength: part.length,
            ContentMD5: md5(part),
          }),
        );
        return { PartNumber, ETag };
      }),
    );
    await connection.act(act, async (s3) =>
      s3.completeMultipartUpload({ ...object, UploadId, MultipartUpload: { Parts: sent }, ...condition }),
    );
  } catch (error) {
    // What cannot be dropped now is swept a day later.
    await connection.act(act, async (s3) => s3.abortMultipartUpload({ ...object, UploadId })).catch(() => undefined);
    throw error;
  }
};
