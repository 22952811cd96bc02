/** Snapshot files: a root tree, and what it is of. The last thing written of a capture, so that there is no half snapshot. */
import { z } from "zod";
import type { SnapshotInfo } from "../../../core/ports/vault-snapshots.ts";
import { snapshotIdSchema } from "../../../model/identifiers.ts";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";
import { formatGoTime } from "./go-time.ts";
import { type RepositoryVersion, parseUnpacked, readUnpacked, writeUnpacked } from "./unpacked-file.ts";

const idSchema = z.string().regex(/^[0-9a-f]{64}$/);

const snapshotFileSchema = z.object({
  time: z.string(),
  parent: idSchema.optional(),
  original: idSchema.optional(),
  tree: idSchema,
  paths: z.array(z.string()).nullish(),
  hostname: z.string().optional(),
  username: z.string().optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
  excludes: z.array(z.string()).nullish(),
  tags: z.array(z.string()).nullish(),
  program_version: z.string().optional(),
  summary: z.object({ data_added_packed: z.number().nonnegative().optional() }).optional(),
});

/** A snapshot that carries a text among its excludes, a member that stock restic keeps, shows as JSON and never acts on. */
const recordTag = "refloat-record";

/**
 * A snapshot that was copied from another vault. Its file has another name there, since a name is the hash of what another key has sealed; it
 * goes on by the id that it was made with, which stands in `original`, as with stock restic's copies.
 */
const copyTag = "refloat-copy";

/** `file` is the name of its file: the id, but for a copy. */
export type StoredSnapshot = SnapshotInfo & { readonly file: string };

export type NewSnapshot = {
  readonly time: Date;
  readonly parent: string | undefined;
  readonly tree: string;
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
  readonly excludes: readonly string[];
  readonly tags: readonly string[];
  readonly programVersion: string;
  readonly summary: {
    readonly backupStart: Date;
    readonly backupEnd: Date;
    readonly totalFiles: number;
    readonly totalBytes: number;
    readonly newBytes: number;
  };
};

const present = <Value>(key: string, value: Value, isEmpty: boolean) => (isEmpty ? {} : { [key]: value });

export const writeSnapshot = async (
  store: Pick<Store, "write">,
  sealer: Sealer,
  version: RepositoryVersion,
  snapshot: NewSnapshot,
): Promise<string> => {
  const nanoseconds = (date: Date): string => formatGoTime(BigInt(date.getTime()) * 1_000_000n);
  const file = {
    time: nanoseconds(snapshot.time),
    ...present("parent", snapshot.parent, snapshot.parent === undefined),
    tree: snapshot.tree,
    paths: snapshot.paths,
    hostname: snapshot.hostname,
    username: snapshot.username,
    ...present("uid", snapshot.uid, snapshot.uid === 0),
    ...present("gid", snapshot.gid, snapshot.gid === 0),
    ...present("excludes", snapshot.excludes, snapshot.excludes.length === 0),
    ...present("tags", snapshot.tags, snapshot.tags.length === 0),
    program_version: snapshot.programVersion,
    summary: {
      backup_start: nanoseconds(snapshot.summary.backupStart),
      backup_end: nanoseconds(snapshot.summary.backupEnd),
      data_added_packed: snapshot.summary.newBytes,
      total_files_processed: snapshot.summary.totalFiles,
      total_bytes_processed: snapshot.summary.totalBytes,
    },
  };
  return writeUnpacked(store, sealer, version, "snapshots", Buffer.from(JSON.stringify(file)));
};

/** Tags and excludes of a record. */
export const recordMembers = (tags: readonly string[], text: string) => ({
  tags: [recordTag, ...tags],
  excludes: [text],
});

const recordOf = ({ tags, excludes }: z.infer<typeof snapshotFileSchema>): { readonly record?: string } => {
  const [text] = excludes ?? [];
  return tags?.includes(recordTag) === true && text !== undefined ? { record: text } : {};
};

/** @throws RefloatError vault.damaged, StoreFileMissing */
export const readSnapshot = async (store: Store, sealer: Sealer, name: string): Promise<StoredSnapshot> => {
  const json = await readUnpacked(store, sealer, "snapshots", name);
  const file = parseUnpacked("snapshots", name, json, (value) => snapshotFileSchema.parse(value));
  const original = file.tags?.includes(copyTag) === true ? file.original : undefined;
  return {
    id: snapshotIdSchema.parse(original ?? name),
    file: name,
    time: file.time,
    hostname: file.hostname ?? "",
    paths: file.paths ?? [],
    tags: file.tags ?? [],
    newBytes: file.summary?.data_added_packed ?? 0,
    ...recordOf(file),
    tree: file.tree,
  };
};

/** All that a snapshot's file says, members that are not known here included. @throws RefloatError vault.damaged, StoreFileMissing */
export const readSnapshotDocument = async (
  store: Store,
  sealer: Sealer,
  name: string,
): Promise<Readonly<Record<string, unknown>>> =>
  parseUnpacked("snapshots", name, await readUnpacked(store, sealer, "snapshots", name), (value) =>
    z.record(z.string(), z.unknown()).parse(value),
  );

/**
 * Writes the file of a snapshot that was made elsewhere.
 * @param document as its own file says it; what it says of its parent is left out, since that may not be here
 * @param tags instead of its own
 */
export const writeSnapshotCopy = async (
  store: Pick<Store, "write">,
  sealer: Sealer,
  version: RepositoryVersion,
  { id, document, tags }: { readonly id: string; readonly document: object; readonly tags: readonly string[] },
): Promise<string> => {
  const { parent: _parent, ...kept } = document as Record<string, unknown>;
  const file = { ...kept, original: id, tags: [...tags.filter((tag) => tag !== copyTag), copyTag] };
  return writeUnpacked(store, sealer, version, "snapshots", Buffer.from(JSON.stringify(file)));
};
