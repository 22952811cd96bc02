/**
 * One revision of a key as etcd keeps it in its database: `mvccpb.KeyValue` in Protocol Buffers (api/mvccpb/kv.proto), behind the revision as the key of its
 * bucket (server/storage/mvcc/revision.go).
 */

export type Revision = {
  /** Of the transaction; the changes of one are told apart by `sub`. */
  readonly main: number;
  readonly sub: number;
};

export type KeyValue = {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Of the value within what was parsed. */
  readonly valueAt: number;
  /** 16 hex digits, as etcdctl tells it; null without one. */
  readonly lease: string | null;
};

const revisionBytes = 17;
const [underscore, tombstoneMark] = Buffer.from("_t");

/** @returns null for what is no revision; a tombstone says that the key was removed */
export const parseRevision = (name: Buffer): (Revision & { readonly isTombstone: boolean }) | null => {
  const isTombstone = name.length === revisionBytes + 1 && name[revisionBytes] === tombstoneMark;
  if ((name.length !== revisionBytes && !isTombstone) || name[8] !== underscore) return null;
  const main = name.readUInt32BE(0) * 2 ** 32 + name.readUInt32BE(4);
  const sub = name.readUInt32BE(9) * 2 ** 32 + name.readUInt32BE(13);
  return main > 0 && Number.isSafeInteger(main) && Number.isSafeInteger(sub) ? { main, sub, isTombstone } : null;
};

const wireTypes = { varint: 0, bytes: 2 } as const;
const fieldNumbers = { key: 1, value: 5, lease: 6 } as const;
const mostVarintBytes = 10;

/** Where what follows a number begins; null where it does not end. */
const endOfVarint = (bytes: Buffer, from: number): number | null => {
  for (let at = from; at < bytes.length && at < from + mostVarintBytes; at += 1)
    if ((bytes[at] ?? 0) < 0x80) return at + 1;
  return null;
};

/** Of 53 bits: what is no length is larger than any. */
const numberIn = (bytes: Buffer, from: number, end: number): number => {
  let value = 0;
  for (let at = end - 1; at >= from; at -= 1) value = value * 128 + ((bytes[at] ?? 0) & 0x7f);
  return value;
};

/** All 64 bits: as a number an id would lose its last digits. */
const leaseIn = (bytes: Buffer, from: number, end: number): string | null => {
  let value = 0n;
  for (let at = end - 1; at >= from; at -= 1) value = (value << 7n) | BigInt((bytes[at] ?? 0) & 0x7f);
  return value === 0n ? null : BigInt.asUintN(64, value).toString(16).padStart(16, "0");
};

/** @returns null for what is none; its bytes are those that were given */
export const parseKeyValue = (message: Buffer): KeyValue | null => {
  let key = message.subarray(0, 0);
  let value = key;
  let valueAt = 0;
  let lease: string | null = null;
  for (let at = 0; at < message.length;) {
    const numberAt = endOfVarint(message, at);
    const contentAt = numberAt === null ? null : endOfVarint(message, numberAt);
    if (numberAt === null || contentAt === null) return null;
    const tag = numberIn(message, at, numberAt);
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    at = contentAt;
    if (wire === wireTypes.varint) {
      if (field === fieldNumbers.lease) lease = leaseIn(message, numberAt, contentAt);
      continue;
    }
    const end = at + numberIn(message, numberAt, contentAt);
    if (wire !== wireTypes.bytes || end > message.length) return null;
    if (field === fieldNumbers.key) key = message.subarray(at, end);
    if (field === fieldNumbers.value) [value, valueAt] = [message.subarray(at, end), at];
    at = end;
  }
  return key.length === 0 ? null : { key, value, valueAt, lease };
};
