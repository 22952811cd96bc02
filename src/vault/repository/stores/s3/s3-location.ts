/** Locations of S3 stores as restic writes them: `s3:https://host[:port]/bucket/prefix`, `s3:host/bucket`, `s3://host/bucket`. */
import { RefloatError } from "../../../../model/refloat-error.ts";

export type S3Location = {
  readonly endpoint: URL;
  readonly bucket: string;
  /** Without slashes at its ends; empty when the repository is the whole bucket. */
  readonly prefix: string;
};

const unusable = (location: string, why: string): RefloatError =>
  new RefloatError("vault.unsupported", `"${location}" is no place for a vault: ${why}`, {
    hint: "write s3:https://HOST/BUCKET/PREFIX",
  });

/** @throws RefloatError vault.unsupported */
export const parseS3Location = (location: string): S3Location => {
  const rest = location.replace(/^s3:(\/\/)?/i, "");
  const text = /^https?:\/\//i.test(rest) ? rest : `https://${rest}`;
  if (!URL.canParse(text)) throw unusable(location, "it holds no address");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    // The text itself must not be repeated: it holds a secret.
    throw new RefloatError("vault.unsupported", `the location of a vault at ${url.host} holds credentials`, {
      hint: "put them into vault.s3 of refloat.yaml or into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    });
  }
  const [bucket = "", ...folders] = decodeURIComponent(url.pathname)
    .split("/")
    .filter((part) => part !== "");
  if (bucket === "") throw unusable(location, "it names no bucket");
  return { endpoint: new URL(`${url.protocol}//${url.host}`), bucket, prefix: folders.join("/") };
};

/** The same place, written in one way. */
export const formatS3Location = ({ endpoint, bucket, prefix }: S3Location): string =>
  `s3:${endpoint.protocol}//${endpoint.host}/${[bucket, prefix].filter((part) => part !== "").join("/")}`;

/** The region that an endpoint of AWS names: `s3.eu-central-1.amazonaws.com`. */
export const regionOfEndpoint = ({ hostname }: URL): string | undefined =>
  /^(?:[^.]+\.)?s3[.-](?:dualstack\.)?([a-z]{2}-[a-z-]+-\d)\.amazonaws\.com(?:\.cn)?$/.exec(hostname)?.[1];

export const isAmazon = ({ hostname }: URL): boolean => /(^|\.)amazonaws\.com(\.cn)?$/.test(hostname);
