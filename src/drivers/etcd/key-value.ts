/**
 * One revision of a key as etcd keeps it in its database: `mvccpb.KeyValue` in Protocol Buffers (api/mvccpb/kv.proto), behind the revision as the key of its
 * bucket (server/storage/mvcc/revision.go).
 */

export type KeyRevision = {
  /** Of the transaction; the changes of one are told apart by `sub`. */
  readonly main: number;
  readonly sub: number;
  /** The key was removed. */
  readonly isTombstone: boolean;
  readonly key: Buffer;
  readonly value: Buffer;
  /** Of the value within what was parsed. */
  readonly valueAt: number;
  /** 16 hex digits, as etcdctl tells it; null without one. */
  readonly lease: string | null;
};

const revisionBytes = 17;
const [underscore, tombstoneMark] = Buffer.from("_t");

/** @returns null for what is no revision */
const parseRevision = (name: Buffer): Pick<KeyRevision, "main" | "sub" | "isTombstone"> | null => {
  const isTombstone = name.length === revisionBytes + 1 && name[revisionBytes] === tombstoneMark;
  if ((name.length !== revisionBytes && !isTombstone) || name[8] !== underscore) return null;
  const [main, sub] = [Number(name.readBigUInt64BE(0)), Number(name.readBigUInt64BE(9))];
  return main > 0 && Number.isSafeInteger(main) && Number.isSafeInteger(sub) ? { main, sub, isTombstone } : null;
};

const wireTypes = { varint: 0, bytes: 2 } as const;
const fieldNumbers = { key: 1, value: 5, lease: 6 } as const;

/** @returns the number and where what follows begins; null where it does not end */
const readVarint = (bytes: Buffer, from: number): { readonly value: bigint; readonly next: number } | null => {
  let value = 0n;
  for (let at = from; at < bytes.length && at < from + 10; at += 1) {
    const byte = bytes[at] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from));
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), next: at + 1 };
  }
  return null;
};

const parseMessage = (message: Buffer): Pick<KeyRevision, "key" | "value" | "valueAt" | "lease"> | null => {
  let key = message.subarray(0, 0);
  let value = key;
  let [valueAt, lease] = [0, 0n];
  for (let at = 0; at < message.length;) {
    const tag = readVarint(message, at);
    const number = tag === null ? null : readVarint(message, tag.next);
    if (tag === null || number === null) return null;
    const [field, wire] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
    at = number.next;
    if (wire === wireTypes.varint) {
      if (field === fieldNumbers.lease) lease = number.value;
      continue;
    }
    if (wire !== wireTypes.bytes || number.value > BigInt(message.length - at)) return null;
    const end = at + Number(number.value);
    if (field === fieldNumbers.key) key = message.subarray(at, end);
    if (field === fieldNumbers.value) [value, valueAt] = [message.subarray(at, end), at];
    at = end;
  }
  return key.length === 0
    ? null
    : { key, value, valueAt, lease: lease === 0n ? null : lease.toString(16).padStart(16, "0") };
};

/** @returns null for what is none; its bytes are those that were given */
export const parseKeyRevision = (name: Buffer, message: Buffer): KeyRevision | null => {
  const revision = parseRevision(name);
  const parsed = revision === null ? null : parseMessage(message);
  return revision === null || parsed === null ? null : { ...revision, ...parsed };
};
