/**
 * One transaction of etcd that puts keys back or removes them, and does nothing at all if one of them was written since it was looked at. A server takes so
 * many operations in one (`max-txn-ops`), of which comparisons count as well: names between which no other key lies are compared as one range, and changes
 * are laid into transactions within the transaction, each of which has as many less (etcd, server/etcdserver/api/v3rpc/key.go, checkTxnRequest).
 */
import type { Gateway } from "../gateway.ts";
import { base64, behind, countLiveKeys } from "./live-keys.ts";

export type KeyChange = {
  readonly key: Buffer;
  /** Of what is live now; null where it is not there. */
  readonly modRevision: string | null;
  /** Null: it is removed. */
  readonly value: Uint8Array | null;
};

/** From one name up to, and with, another. */
type Span = { readonly from: Buffer; readonly last: Buffer };

/** What a server takes unless it was started with another `--max-txn-ops`. */
export const usualOperations = 128;

/** As few spans as hold these keys and no others that are live. @param live do these keys themselves count? */
const spansOf = async (gateway: Gateway, keys: readonly Buffer[], live: boolean): Promise<readonly Span[]> => {
  const [from, last] = [keys[0], keys.at(-1)];
  if (from === undefined || last === undefined) return [];
  if (keys.length === 1 || (await countLiveKeys(gateway, from, last)) === (live ? keys.length : 0))
    return [{ from, last }];
  const half = Math.floor(keys.length / 2);
  return [...(await spansOf(gateway, keys.slice(0, half), live)), ...(await spansOf(gateway, keys.slice(half), live))];
};

/** Of a span that is empty, or all of whose keys were written by one transaction: no key of it is of another. */
const comparison = ({ from, last }: Span, modRevision: string | null): object => ({
  key: base64(from),
  ...(from.equals(last) ? {} : { range_end: base64(behind(last)) }),
  target: "MOD",
  result: "EQUAL",
  mod_revision: modRevision ?? "0",
});

/** A key that stays is compared alone: of a range nobody is told that one of its keys is no longer there. */
const comparisonsOf = async (gateway: Gateway, changes: readonly KeyChange[]): Promise<readonly object[]> => {
  const stays = ({ modRevision, value }: KeyChange): boolean => modRevision !== null && value !== null;
  const staying = changes.filter(stays);
  const others = changes.filter((change) => !stays(change));
  const groups = Map.groupBy(others, ({ modRevision }) => modRevision);
  const spans: object[] = [];
  for (const [modRevision, group] of groups) {
    const keys = group.map(({ key }) => key).toSorted((a, b) => Buffer.compare(a, b));
    const found = await spansOf(gateway, keys, modRevision !== null);
    spans.push(...found.map((span) => comparison(span, modRevision)));
  }
  return [...staying.map(({ key, modRevision }) => comparison({ from: key, last: key }, modRevision)), ...spans];
};

/** A lease that a key has now stays with it; what comes back has none. */
const operationOf = ({ key, modRevision, value }: KeyChange): object =>
  value === null
    ? { request_delete_range: { key: base64(key) } }
    : {
        request_put: {
          key: base64(key),
          value: base64(value),
          ...(modRevision === null ? {} : { ignore_lease: true }),
        },
      };

/** How many transactions are laid into it; 0 for none. Null where it does not fit into what a server usually takes. */
const innerTransactions = (comparisons: number, operations: number): number | null => {
  if (Math.max(comparisons, operations) <= usualOperations) return 0;
  for (let inner = Math.max(comparisons, 1); inner < usualOperations; inner += 1)
    if (inner * (usualOperations - inner) >= operations) return inner;
  return null;
};

export type KeyTransaction = {
  /** As `kv/txn` takes it. */
  readonly request: object;
  /** False where only a server that takes more operations than usual could do it. */
  readonly isUsual: boolean;
};

/** Asks what lies between the names, and changes nothing. */
export const keyTransaction = async (gateway: Gateway, changes: readonly KeyChange[]): Promise<KeyTransaction> => {
  const compare = await comparisonsOf(gateway, changes);
  const operations = changes.map(operationOf);
  const inner = innerTransactions(compare.length, operations.length);
  if (inner === null || inner === 0) return { request: { compare, success: operations }, isUsual: inner === 0 };
  const each = Math.ceil(operations.length / inner);
  const success = Array.from({ length: Math.ceil(operations.length / each) }, (_, index) => ({
    request_txn: { success: operations.slice(index * each, (index + 1) * each) },
  }));
  return { request: { compare, success }, isUsual: true };
};
