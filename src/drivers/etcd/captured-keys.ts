/**
 * Keys of a captured cluster, out of the snapshot of the point. etcd's database is a history: each change of a key is an entry of its own, by revision, and the
 * last one counts. It is read twice, forwards, once to learn which are the last.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CapturedKey, CapturedKeys, KeySource } from "../../core/ports/captured-keys.ts";
import { isPattern, keyPattern } from "../../core/granular/key-pattern.ts";
import { readName, showName } from "../../core/text/shown-name.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { base64Pieces } from "../../platform/base64-pieces.ts";
import { type BucketLeaves, findBucket } from "./bolt-buckets.ts";
import { type BoltPage, type RangeReader, damagedPlace, entriesOf, openBolt } from "./bolt-pages.ts";
import { dataName, snapshotName } from "./captured-detail.ts";
import { type KeyValue, type Revision, parseKeyValue, parseRevision } from "./key-value.ts";
import { LatestRevisions } from "./latest-revisions.ts";
import { hashBytes } from "./snapshot-stream.ts";

const keyBucket = "key";

/** A key as it is in the point. Its bytes are good until the next is asked for. */
export type SnapshotKey = Pick<KeyValue, "key" | "value" | "lease"> & {
  /** Of the value's first byte in the snapshot. */
  readonly valueOffset: number;
};

type Snapshot = {
  readonly leaves: BucketLeaves;
  /** Any part of it, verified. */
  readonly stream: (offset: number, lengthBytes: number) => ByteStream;
};

const openSnapshot = async ({ tree, captured }: KeySource, signal: AbortSignal): Promise<Snapshot> => {
  const path = `${captured.path}/${dataName}/${snapshotName}`;
  const entry = await tree.entry(Buffer.from(path));
  if (entry === undefined) throw new RefloatError("point.damaged", `the point has no ${path}`);
  if (entry.sizeBytes !== captured.facts.sizeBytes)
    throw new RefloatError(
      "point.damaged",
      `${path} has ${entry.sizeBytes} bytes, and had ${captured.facts.sizeBytes} when it was captured`,
    );
  const stream: Snapshot["stream"] = (offset, length) => tree.content(entry, { offset, length });
  const file: RangeReader = {
    sizeBytes: Math.max(0, entry.sizeBytes - hashBytes),
    read: async (offset, lengthBytes, into) => {
      const bytes = into?.subarray(0, lengthBytes) ?? Buffer.allocUnsafe(lengthBytes);
      let at = 0;
      for await (const piece of stream(offset, lengthBytes)) {
        bytes.set(piece, at);
        at += piece.length;
      }
      if (at !== lengthBytes) throw damagedPlace(`byte ${offset + at}`, "is not there");
      return bytes;
    },
  };
  const leaves = await findBucket(await openBolt(file), keyBucket, signal);
  if (leaves === null) throw damagedPlace("its root", "knows no bucket of keys");
  return { leaves, stream };
};

type Found = SnapshotKey & Revision & { readonly isTombstone: boolean };

/** Every change of a key that is wanted by its revision, in the order of the page. */
function* changesOn(page: BoltPage, isWanted: (revision: Revision) => boolean): Generator<Found> {
  for (const { key: name, value: message, valueOffset, isBucket } of entriesOf(page)) {
    const revision = isBucket ? null : parseRevision(name);
    if (revision === null) throw damagedPlace(page.place, "has what is no revision of a key");
    if (!isWanted(revision)) continue;
    const found = parseKeyValue(message);
    if (found === null) throw damagedPlace(page.place, `has no key behind revision ${revision.main}`);
    yield { ...revision, ...found, valueOffset: valueOffset + found.valueAt };
  }
}

const all = (): boolean => true;

async function* keysIn(
  { leaves }: Snapshot,
  fits: (key: Uint8Array) => boolean,
  signal: AbortSignal,
): AsyncGenerator<SnapshotKey> {
  const latest = new LatestRevisions();
  for await (const page of leaves.read(signal))
    for (const change of changesOn(page, all)) if (fits(change.key)) latest.offer(change.key, change);
  const last = latest.revisions();
  for await (const page of leaves.read(signal))
    for (const change of changesOn(page, (revision) => last.has(revision))) if (!change.isTombstone) yield change;
}

/** Keys that fit, each once, in no order. @throws RefloatError point.damaged, source.unsupported, vault.* */
export async function* readSnapshotKeys(
  source: KeySource,
  fits: (key: Uint8Array) => boolean,
  signal: AbortSignal,
): AsyncGenerator<SnapshotKey> {
  yield* keysIn(await openSnapshot(source, signal), fits, signal);
}

type Placed = Pick<Found, "main" | "sub" | "isTombstone" | "lease"> & {
  readonly offset: number;
  readonly lengthBytes: number;
};

const isLater = (a: Revision, b: Revision | null): boolean =>
  b === null || a.main > b.main || (a.main === b.main && a.sub > b.sub);

/** One key by its name alone: it is read once. Null where it is not there. */
const placeKey = async ({ leaves }: Snapshot, key: Uint8Array, signal: AbortSignal): Promise<Placed | null> => {
  let last: Placed | null = null;
  for await (const page of leaves.read(signal))
    for (const found of changesOn(page, all)) {
      if (Buffer.compare(found.key, key) !== 0 || !isLater(found, last)) continue;
      const { main, sub, isTombstone, lease, valueOffset, value } = found;
      last = { main, sub, isTombstone, lease, offset: valueOffset, lengthBytes: value.length };
    }
  return last === null || last.isTombstone ? null : last;
};

const shown = (key: Uint8Array, sizeBytes: number, lease: string | null): CapturedKey => ({
  key,
  prefix: "",
  type: "value",
  sizeBytes,
  expiresAt: null,
  ...(lease === null ? {} : { lease }),
});

async function* listKeys(source: KeySource, typed: string | null, signal: AbortSignal): AsyncGenerator<CapturedKey> {
  const snapshot = await openSnapshot(source, signal);
  if (typed !== null && !isPattern(typed)) {
    const key = readName(typed);
    const placed = await placeKey(snapshot, key, signal);
    if (placed !== null) yield shown(key, placed.lengthBytes, placed.lease);
    return;
  }
  const fits = typed === null ? () => true : keyPattern(typed);
  for await (const { key, value, lease } of keysIn(snapshot, fits, signal))
    yield shown(Buffer.from(key), value.length, lease);
}

/** What `kv/put` of the gateway takes. */
async function* asPutRequest(key: Uint8Array, value: ByteStream): ByteStream {
  yield Buffer.from(`{"key":"${Buffer.from(key).toString("base64")}","value":"`);
  for await (const piece of base64Pieces(value)) yield Buffer.from(piece);
  yield Buffer.from('"}\n');
}

async function* takeKey(source: KeySource, { typed, form, signal }: Parameters<CapturedKeys["take"]>[1]): ByteStream {
  const key = readName(typed);
  const snapshot = await openSnapshot(source, signal);
  const placed = await placeKey(snapshot, key, signal);
  if (placed === null)
    throw new RefloatError("point.unknown", `${source.captured.name} has no key ${showName(key)} in this point`, {
      hint: "names are typed as refloat browse shows them",
    });
  const value = async function* (): ByteStream {
    if (placed.lengthBytes > 0) yield* snapshot.stream(placed.offset, placed.lengthBytes);
  };
  yield* form === "dump" ? asPutRequest(key, value()) : value();
}

export const etcdCapturedKeys: CapturedKeys = { list: listKeys, take: takeKey };
