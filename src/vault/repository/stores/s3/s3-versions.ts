/**
 * The bucket as it was: for each key the version that was current at an instant. What was deleted or overwritten since is there all the
 * same, under the id of its version, as long as nobody could purge that.
 */
import type { StoreKind } from "../store.ts";
import type { S3Connection } from "./s3-connection.ts";
import type { S3Keys } from "./s3-keys.ts";

export type FileVersion = { readonly versionId: string; readonly sizeBytes: number };

type Candidate = { readonly timeMs: number; readonly version: FileVersion | null };

/** One version of an object, or the marker that deleted it. */
type Version = {
  readonly key: string;
  readonly timeMs: number;
  readonly etag: string;
  readonly file: FileVersion | null;
};

async function* eachVersion(connection: S3Connection, prefix: string): AsyncGenerator<Version> {
  let marker: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const at: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } = marker;
    const page = await connection.act(`list the versions of ${prefix}`, async (s3) =>
      s3.listObjectVersions({ Bucket: connection.bucket, Prefix: prefix, ...at }),
    );
    const timeOf = (date: Date | undefined): number => date?.getTime() ?? Number.POSITIVE_INFINITY;
    for (const { Key = "", LastModified, VersionId = "null", Size = 0, ETag = "" } of page.Versions ?? []) {
      const file = { versionId: VersionId, sizeBytes: Size };
      yield { key: Key, timeMs: timeOf(LastModified), etag: ETag, file };
    }
    for (const { Key = "", LastModified } of page.DeleteMarkers ?? [])
      yield { key: Key, timeMs: timeOf(LastModified), etag: "", file: null };
    marker =
      page.IsTruncated === true
        ? {
            ...(page.NextKeyMarker === undefined ? {} : { KeyMarker: page.NextKeyMarker }),
            ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
          }
        : undefined;
  }
}

/**
 * A file that is written once and was deleted: the last instant at which nobody had touched it. What was written over it before it was deleted
 * was not the file.
 * @returns null if it is there, or never was
 */
export const lastSeenAt = async (connection: S3Connection, key: string): Promise<Date | null> => {
  const events: Version[] = [];
  for await (const version of eachVersion(connection, key)) if (version.key === key) events.push(version);
  // At the same instant it was written before it was deleted.
  events.sort((a, b) => a.timeMs - b.timeMs || Number(a.file === null) - Number(b.file === null));
  if (events.at(-1)?.file !== null) return null;
  const newest = events.findLastIndex(({ file }) => file !== null);
  const first = events.slice(0, newest + 1).findLastIndex(({ file }) => file === null) + 1;
  const written = events[first];
  const touched = events.slice(first).find(({ file, etag }) => file === null || etag !== written?.etag);
  if (newest === -1 || written === undefined || touched === undefined) return null;
  return new Date(Math.max(written.timeMs, touched.timeMs - 1));
};

export class S3Versions {
  readonly #connection: S3Connection;
  readonly #keys: S3Keys;
  readonly #asOfMs: number;
  /** The past does not change, so each kind is listed once. */
  readonly #listed = new Map<StoreKind, Promise<ReadonlyMap<string, FileVersion>>>();

  constructor(connection: S3Connection, keys: S3Keys, asOf: Date) {
    this.#connection = connection;
    this.#keys = keys;
    this.#asOfMs = asOf.getTime();
  }

  async of(kind: StoreKind): Promise<ReadonlyMap<string, FileVersion>> {
    const known = this.#listed.get(kind);
    if (known !== undefined) return known;
    const listing = this.#list(kind);
    this.#listed.set(kind, listing);
    listing.catch(() => this.#listed.delete(kind));
    return listing;
  }

  async #list(kind: StoreKind): Promise<ReadonlyMap<string, FileVersion>> {
    const newest = new Map<string, Candidate>();
    for await (const { key, timeMs, file: version } of eachVersion(this.#connection, this.#keys.folder(kind))) {
      const name = this.#keys.nameOf(kind, key);
      if (name === undefined || timeMs > this.#asOfMs) continue;
      const known = newest.get(name);
      // At the same instant content counts for more than its removal.
      if (known === undefined || timeMs > known.timeMs || (timeMs === known.timeMs && known.version === null))
        newest.set(name, { timeMs, version });
    }
    const found = new Map<string, FileVersion>();
    for (const [name, { version }] of newest) if (version !== null) found.set(name, version);
    return found;
  }
}
