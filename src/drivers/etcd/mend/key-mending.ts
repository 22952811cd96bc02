/**
 * Keys of a point back into the live cluster: compared by their values, written as a script that can be reviewed, and done in one transaction that compares the
 * revision of each key of it.
 */
import { z } from "zod";
import { isPattern, keyPattern, prefixOfPattern } from "../../../core/granular/key-pattern.ts";
import { explainFailure } from "../../../core/mend/explain-refusal.ts";
import {
  keyChanged,
  keyProposal,
  keysTable,
  mostKeys,
  noKeyFits,
  refuseForRows,
  requirePoint,
  tooManyKeys,
} from "../../../core/mend/mend-keys.ts";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { MendRequest, PointSource, RowMending } from "../../../core/ports/row-mending.ts";
import { formatAmount, formatBytes, formatList } from "../../../core/text/quantity.ts";
import { readName, showName } from "../../../core/text/shown-name.ts";
import type { MendDirection, MendProposal, MendedTable } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type KeyLineDraft, type ReadKey, firstLine, readKeys, writeKey } from "../../../platform/mend/key-script.ts";
import { keepMend, readMend, readScript } from "../../../platform/mend/kept-mends.ts";
import { readSnapshotKeys } from "../captured-keys.ts";
import type { EtcdContext, EtcdOptions } from "../etcd-options.ts";
import { resolveTarget } from "../etcd-target.ts";
import { type Gateway, withEtcd } from "../gateway.ts";
import { type KeyChange, keyTransaction, usualOperations } from "./key-transaction.ts";
import {
  type DigestedValue,
  type LiveKey,
  askKeys,
  digestValue,
  inBatches,
  readLiveKeys,
  scanLiveKeys,
} from "./live-keys.ts";

/** What a server takes in one request unless it was started with another `--max-request-bytes`. */
const usualRequestBytes = 1_572_864;
/** Held in memory, twice: no server takes so much. */
const mostTransactionBytes = 67_108_864;
const shownLeases = 5;

type Live = DigestedValue & Pick<LiveKey, "modRevision">;

type Wanted = {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly point: DigestedValue;
  /** Of the key in the point. */
  readonly lease: string | null;
  readonly live: Live | null;
};

type Compared = {
  readonly counts: Pick<MendedTable, "equal" | "changed" | "gone" | "newer">;
  readonly wanted: readonly Wanted[];
};

const onLive = async <Result>(context: EtcdContext, act: (gateway: Gateway) => Promise<Result>): Promise<Result> =>
  withEtcd({ target: await resolveTarget(context), signal: context.signal }, act);

const idOf = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

const readLive = async (gateway: Gateway, patterns: readonly string[]): Promise<ReadonlyMap<string, Live>> => {
  const live = new Map<string, Live>();
  const add = ({ key, value, modRevision }: LiveKey): void => {
    live.set(idOf(key), { ...digestValue(value), modRevision });
    if (live.size > mostKeys) throw tooManyKeys("cluster");
  };
  const names = patterns.filter((typed) => !isPattern(typed)).map(readName);
  for await (const batch of inBatches(names))
    for (const found of await readLiveKeys(gateway, batch)) if (found !== null) add(found);
  for (const pattern of patterns.filter(isPattern)) {
    const fits = keyPattern(pattern);
    for await (const found of scanLiveKeys(gateway, prefixOfPattern(pattern))) if (fits(found.key)) add(found);
  }
  return live;
};

const compareKeys = async (
  context: EtcdContext,
  source: PointSource,
  { tables, rows }: Pick<MendRequest, "tables" | "rows">,
): Promise<Compared> => {
  const patterns = tables ?? [];
  const wishes = patterns.map(keyPattern);
  const kinds: readonly string[] = rows.length === 0 ? ["changed", "gone"] : rows;
  const live = await onLive(context, (gateway) => readLive(gateway, patterns));
  const counts = { equal: 0, changed: 0, gone: 0 };
  const wanted: Wanted[] = [];
  let [found, sizeBytes] = [0, 0];
  const fits = (key: Uint8Array): boolean => wishes.some((wish) => wish(key));
  for await (const { key, value, lease } of readSnapshotKeys(source, fits, context.signal)) {
    found += 1;
    if (found > mostKeys) throw tooManyKeys("cluster");
    const now = live.get(idOf(key)) ?? null;
    const point = digestValue(value);
    const kind = now === null ? "gone" : now.digest === point.digest ? "equal" : "changed";
    counts[kind] += 1;
    if (!kinds.includes(kind)) continue;
    sizeBytes += key.length + Math.max(value.length, now?.sizeBytes ?? 0);
    if (sizeBytes > mostTransactionBytes)
      throw new RefloatError(
        "source.unsupported",
        `what is put back takes more than the ${formatBytes(mostTransactionBytes)} of one transaction`,
        { state: "nothing was changed", hint: "narrow the pattern, or recover the whole cluster" },
      );
    wanted.push({ key: Buffer.from(key), value: Buffer.from(value), point, lease, live: now });
  }
  if (found === 0) throw noKeyFits(source.words, patterns);
  return { counts: { ...counts, newer: live.size - counts.equal - counts.changed }, wanted };
};

const tableOf = ({ counts, wanted }: Compared): MendedTable =>
  keysTable({
    name: "keys",
    counts,
    columns: { value: wanted.filter(({ live }) => live !== null).length },
    samples: wanted.map(({ key, point, live }) => ({
      kind: live === null ? "gone" : "changed",
      key: { key: showName(key) },
      columns: [{ name: "value", point: point.words, live: live?.words ?? null }],
    })),
  });

const sizeOf = (all: readonly { readonly key: Buffer; readonly sizeBytes: number }[]): number =>
  all.reduce((sum, { key, sizeBytes }) => sum + key.length + sizeBytes, 0);

const warningsFor = async (gateway: Gateway, wanted: readonly Wanted[]): Promise<readonly string[]> => {
  const leased = wanted.filter(({ lease, live }) => lease !== null && live === null);
  const changes = wanted.map(({ key, value, live }) => ({ key, value, modRevision: live?.modRevision ?? null }));
  const { isUsual } = await keyTransaction(gateway, changes);
  const sizes = {
    "what is put back": sizeOf(wanted.map(({ key, point }) => ({ key, sizeBytes: point.sizeBytes }))),
    "the way back": sizeOf(wanted.map(({ key, live }) => ({ key, sizeBytes: live?.sizeBytes ?? 0 }))),
  };
  return [
    ...(leased.length === 0
      ? []
      : [
          `${formatAmount(leased.length, "keys")} had a lease in the point, which nobody renews: ${leased.length === 1 ? "it comes back without one and stays until somebody removes it" : "they come back without one and stay until somebody removes them"}: ${formatList(
            leased.map(({ key }) => showName(key)),
            shownLeases,
          )}`,
        ]),
    ...(isUsual
      ? []
      : [
          `etcd takes ${usualOperations} operations in one transaction unless it was started with more (--max-txn-ops), and this has more: narrow the pattern`,
        ]),
    ...Object.entries(sizes).flatMap(([what, sizeBytes]) =>
      sizeBytes <= usualRequestBytes
        ? []
        : [
            `${what} takes ${formatBytes(sizeBytes)}, and etcd takes ${formatBytes(usualRequestBytes)} in one request unless it was started with more (--max-request-bytes): narrow the pattern`,
          ],
    ),
  ];
};

const stateOf = (value: Pick<DigestedValue, "digest"> | null) => (value === null ? null : { digest: value.digest });

const lineFor = ({ key }: Wanted, before: DigestedValue | null, after: DigestedValue | null): KeyLineDraft => ({
  name: showName(key),
  keyBase64: key.toString("base64"),
  before: stateOf(before),
  after: stateOf(after),
  sizeBytes: after?.sizeBytes ?? 0,
});

async function* one(value: Uint8Array): ByteStream {
  if (value.length > 0) yield value;
}

async function* mendScript(context: EtcdContext, words: string, wanted: readonly Wanted[]): AsyncGenerator<string> {
  yield firstLine([
    `Keys of ${context.service}, ${context.component}, as ${words} has them.`,
    "Each key has to be as `before` says, else nothing of this is done. `refloat mend --proposal` does it in one transaction.",
  ]);
  for (const each of wanted) yield* writeKey(lineFor(each, each.live, each.point), one(each.value));
}

/** What is live is read once more; what has changed meanwhile is told at once. */
async function* undoScript(context: EtcdContext, gateway: Gateway, wanted: readonly Wanted[]): AsyncGenerator<string> {
  yield firstLine([`Takes back what was put into ${context.service}, ${context.component}.`]);
  for await (const batch of inBatches(wanted)) {
    const found = await readLiveKeys(
      gateway,
      batch.map(({ key }) => key),
    );
    for (const [index, each] of batch.entries()) {
      const now = found[index] ?? null;
      if (now?.modRevision !== each.live?.modRevision)
        throw new RefloatError("rows.changed", `the key ${showName(each.key)} was written while keys were compared`, {
          state: "nothing was changed",
        });
      const payload = now === null ? null : one(now.value);
      yield* writeKey(lineFor(each, each.point, each.live), payload);
    }
  }
}

const propose: RowMending<EtcdOptions>["propose"] = async (context, given, request) => {
  refuseForRows(request);
  const source = requirePoint(given);
  const compared = await compareKeys(context, source, request);
  const { wanted } = compared;
  return onLive(context, async (gateway) => {
    const base = keyProposal({
      source: source.words,
      tables: [tableOf(compared)],
      warnings: [...(await warningsFor(gateway, wanted))],
      writtenAt: context.clock.now().toISOString(),
      ...(request.again === undefined ? {} : { again: request.again }),
    });
    if (wanted.length === 0) return { ...base, digest: "", undoDigest: "", script: null, undo: null };
    return keepMend(
      context.stateDirectory,
      {
        mend: mendScript(context, source.words, wanted),
        undo: undoScript(context, gateway, wanted),
        describe: (kept) => ({ ...base, ...kept }),
      },
      { extension: "jsonl" },
    );
  });
};

const collect = async (payload: ByteStream): Promise<Buffer> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of payload) pieces.push(piece);
  return Buffer.concat(pieces);
};

type Wish = Pick<ReadKey, "name" | "before"> & Pick<KeyChange, "key" | "value">;

async function* wishesOf(proposal: MendProposal, direction: MendDirection): AsyncGenerator<Wish> {
  for await (const { name, keyBase64, before, payload } of readKeys(readScript(proposal, direction)))
    yield {
      name,
      before,
      key: Buffer.from(keyBase64, "base64"),
      value: payload === null ? null : await collect(payload),
    };
}

/** From here on whoever changes a key of the script makes the transaction do nothing. */
const lookAtKeys = async (
  context: EtcdContext,
  gateway: Gateway,
  proposal: MendProposal,
  direction: MendDirection,
): Promise<readonly KeyChange[]> => {
  const changes: KeyChange[] = [];
  for await (const batch of inBatches(wishesOf(proposal, direction))) {
    context.signal.throwIfAborted();
    const found = await readLiveKeys(
      gateway,
      batch.map(({ key }) => key),
    );
    for (const [index, { name, key, value, before }] of batch.entries()) {
      const live = found[index] ?? null;
      if ((live === null ? undefined : digestValue(live.value).digest) !== before?.digest) throw keyChanged(name);
      changes.push({ key, value, modRevision: live?.modRevision ?? null });
    }
  }
  return changes;
};

/** Words by which a server says that it has not begun, and what helps. Whatever else it says may come of a transaction that goes on. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/too many operations/i, "narrow the pattern, or start the servers with a larger --max-txn-ops; then compare again"],
  [
    /too large|larger than max/i,
    "narrow the pattern, or start the servers with a larger --max-request-bytes; then compare again",
  ],
  [/space exceeded/i, "its database is full: etcdctl alarm list, then compact and defragment, or raise its quota"],
  [/duplicate key|key is not provided/i, "compare again"],
];

const explainTransaction = (error: unknown): { readonly thrown: unknown; readonly isHeard: boolean } => {
  if (!(error instanceof RefloatError)) return { thrown: error, isHeard: false };
  if (error.code === "source.denied") return { thrown: error, isHeard: true };
  const hint = refusals.find(([words]) => words.test(error.message))?.[1];
  return hint === undefined
    ? { thrown: error, isHeard: false }
    : { thrown: new RefloatError("target.failed", error.message, { cause: error, hint }), isHeard: true };
};

const apply: RowMending<EtcdOptions>["apply"] = async (context, proposal, direction) => {
  let isSent = false;
  try {
    await onLive(context, async (gateway) => {
      const { request } = await keyTransaction(gateway, await lookAtKeys(context, gateway, proposal, direction));
      isSent = true;
      const answer = z.object({ succeeded: z.boolean().default(false) });
      const { succeeded } = await askKeys(gateway, "kv/txn", request, answer);
      if (!succeeded)
        throw new RefloatError("rows.changed", "a key was written between the comparison and the transaction");
    });
  } catch (error) {
    if (error instanceof RefloatError && error.code === "rows.changed")
      throw explainFailure(error, { kind: "changed", message: error.message }, direction);
    const { thrown, isHeard } = explainTransaction(error);
    throw explainFailure(thrown, { kind: isSent && !isHeard ? "unheard" : "other" }, direction);
  }
};

export const etcdKeyMending: RowMending<EtcdOptions> = {
  makesDropped: false,
  ofPointsAlone: true,
  compare: async (context, source, pattern) =>
    tableOf(await compareKeys(context, source, { tables: [pattern], rows: [] })),
  propose,
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply,
};
