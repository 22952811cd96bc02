/** Buckets of a test server, made and looked at past the store under test. */
import { S3 } from "@aws-sdk/client-s3";
import type { S3Settings } from "../vault/repository/stores/store-settings.ts";
import { hideText } from "../platform/secret.ts";
import type { RadosgwServer, RadosgwUser } from "./radosgw-server.ts";

export const s3SettingsOf = ({ accessKeyId, secretAccessKey }: RadosgwUser): S3Settings => ({
  accessKeyId,
  secretAccessKey: hideText(secretAccessKey),
});

/** A plain client, with the rights of the owner unless another user is named. */
export const s3ClientOf = ({ url, owner }: Pick<RadosgwServer, "url" | "owner">, user: RadosgwUser = owner): S3 =>
  new S3({
    endpoint: url,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { ...user },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });

/** @param locks with versions and Object Lock */
export const makeBucket = async (client: S3, bucket: string, { locks }: { readonly locks: boolean }): Promise<void> => {
  await client.createBucket({ Bucket: bucket, ...(locks ? { ObjectLockEnabledForBucket: true } : {}) });
};
