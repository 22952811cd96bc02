/**
 * The bucket as it was: for each key the version that was current at an instant. What was deleted or overwritten since is there all the
 * same, under the id of its version, as long as nobody could purge that.
 */
import type { StoreKind } from "../store.ts";
import type { S3Connection } from "./s3-connection.ts";
import type { S3Keys } from "./s3-keys.ts";

export type FileVersion = { readonly versionId: string; readonly sizeBytes: number };

type Candidate = { readonly timeMs: number; readonly version: FileVersion | null };

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
    const consider = (key: string | undefined, at: Date | undefined, version: FileVersion | null): void => {
      const name = key === undefined ? undefined : this.#keys.nameOf(kind, key);
      const timeMs = at?.getTime() ?? Number.POSITIVE_INFINITY;
      if (name === undefined || timeMs > this.#asOfMs) return;
      const known = newest.get(name);
      // At the same instant content counts for more than its removal.
      if (known === undefined || timeMs > known.timeMs || (timeMs === known.timeMs && known.version === null))
        newest.set(name, { timeMs, version });
    };
    let marker: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined = {};
    while (marker !== undefined) {
      const at: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } = marker;
      const page = await this.#connection.act(`list the versions of ${kind}`, async (s3) =>
        s3.listObjectVersions({ Bucket: this.#connection.bucket, Prefix: this.#keys.folder(kind), ...at }),
      );
      for (const { Key, LastModified, VersionId, Size } of page.Versions ?? [])
        consider(Key, LastModified, { versionId: VersionId ?? "null", sizeBytes: Size ?? 0 });
      for (const { Key, LastModified } of page.DeleteMarkers ?? []) consider(Key, LastModified, null);
      marker =
        page.IsTruncated === true
          ? {
              ...(page.NextKeyMarker === undefined ? {} : { KeyMarker: page.NextKeyMarker }),
              ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
            }
          : undefined;
    }
    const found = new Map<string, FileVersion>();
    for (const [name, { version }] of newest) if (version !== null) found.set(name, version);
    return found;
  }
}
