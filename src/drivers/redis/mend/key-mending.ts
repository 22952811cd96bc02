/**
 * Keys of a point back into what is live: compared by what their values are, written as a script that can be reviewed, and done in one MULTI that WATCHes
 * every key of it.
 */
import { explainFailure } from "../../../core/mend/explain-refusal.ts";
import type { ByteStream } from "../../../core/ports/bytes.ts";
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
import type { MendRequest, PointSource, RowMending } from "../../../core/ports/row-mending.ts";
import { isPattern } from "../../../core/granular/key-pattern.ts";
import { formatAmount } from "../../../core/text/quantity.ts";
import { showName } from "../../../core/text/shown-name.ts";
import type { MendDirection, MendProposal, MendedTable } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { keepMend, readMend, readScript } from "../../../platform/mend/kept-mends.ts";
import { keyWish, parseKeyName, piecesOf, prefixOf, rdbFile } from "../captured-keys.ts";
import { describeAddress, resolveTarget } from "../connection-target.ts";
import { kindOfType } from "../rdb-elements.ts";
import type { RdbKeyHead } from "../rdb-format.ts";
import { asPayload, payloadBytes, readRdbKeys } from "../rdb-keys.ts";
import type { RedisContext, RedisOptions } from "../redis-options.ts";
import { replyOf } from "../redis-session.ts";
import { type RedisWire, WireError, withRedisWire } from "../redis-wire.ts";
import { type KeyLine, type KeyState, firstLine, readKeys, writeKey } from "../../../platform/mend/key-script.ts";
import { type LiveKey, readLiveKey, requireMendable, scanLiveKeys } from "./live-keys.ts";
import { type DigestedValue, digestValue } from "./value-digest.ts";

type Wanted = {
  readonly head: RdbKeyHead;
  readonly valueBytes: number;
  readonly point: DigestedValue;
  readonly live: LiveKey | null;
};

type Counted = { equal: number; changed: number; gone: number; newer: number };

type Compared = {
  readonly counts: ReadonlyMap<number, Counted>;
  readonly wanted: ReadonlyMap<string, Wanted>;
  readonly warnings: readonly string[];
};

const idOf = ({ database, name }: Pick<RdbKeyHead, "database" | "name">): string =>
  `${database} ${Buffer.from(name).toString("latin1")}`;

const shownKey = ({ database, name }: Pick<RdbKeyHead, "database" | "name">): string =>
  prefixOf(database, name) + showName(name);

const createSelect = (wire: RedisWire): ((database: number) => Promise<void>) => {
  let selected = 0;
  return async (database) => {
    if (database !== selected) await wire.ask("SELECT", String(database));
    selected = database;
  };
};

const isAlike = (point: DigestedValue, head: RdbKeyHead, live: LiveKey): boolean =>
  point.digest === live.digest && head.expiresAtMs === live.expiresAtMs;

/** Live keys that the point has not, of the databases and patterns that were asked for. */
const countNewer = async (
  wire: RedisWire,
  patterns: readonly string[],
  known: ReadonlySet<string>,
): Promise<ReadonlyMap<number, number>> => {
  const select = createSelect(wire);
  const newer = new Map<number, Set<string>>();
  for (const pattern of patterns) {
    const { database, name } = parseKeyName(pattern);
    if (!isPattern(name)) continue;
    const fits = keyWish(pattern);
    const found = newer.get(database) ?? new Set<string>();
    newer.set(database, found);
    await select(database);
    // What is escaped here is not what the server reads in it.
    for await (const key of scanLiveKeys(wire, /[^\x20-\x7e]|\\/.test(name) ? null : name)) {
      const id = idOf({ database, name: key });
      if (known.has(id) || !fits({ database, name: key })) continue;
      found.add(id);
      if (found.size > mostKeys) throw tooManyKeys("server");
    }
  }
  await select(0);
  return new Map([...newer].map(([database, found]) => [database, found.size]));
};

const compareKeys = async (
  context: RedisContext,
  wire: RedisWire,
  source: PointSource,
  { tables, rows }: Pick<MendRequest, "tables" | "rows">,
): Promise<Compared> => {
  const patterns = tables ?? [];
  const wishes = patterns.map(keyWish);
  const fits = (head: RdbKeyHead): boolean => wishes.some((wish) => wish(head));
  const kinds: readonly string[] = rows.length === 0 ? ["changed", "gone"] : rows;
  const select = createSelect(wire);
  const counts = new Map<number, Counted>();
  for (const pattern of patterns)
    counts.set(parseKeyName(pattern).database, { equal: 0, changed: 0, gone: 0, newer: 0 });
  const known = new Set<string>();
  const wanted = new Map<string, Wanted>();
  let [over, ofModules] = [0, 0];
  const parts = readRdbKeys(rdbFile(source), fits, context.signal);
  for await (const part of { [Symbol.asyncIterator]: () => ({ next: () => parts.next() }) }) {
    if (part.kind !== "key" || !fits(part.head)) continue;
    const { head } = part;
    if (known.size >= mostKeys) throw tooManyKeys("server");
    known.add(idOf(head));
    let valueBytes = 0;
    const sized = async function* (): ByteStream {
      for await (const piece of piecesOf(parts)) {
        valueBytes += piece.length;
        yield piece;
      }
    };
    const point = await digestValue(head.type, sized());
    if (head.expiresAtMs !== null && head.expiresAtMs <= context.clock.now().getTime()) {
      over += 1;
      continue;
    }
    if (kindOfType(head.type) === "module") {
      ofModules += 1;
      continue;
    }
    await select(head.database);
    const live = await readLiveKey(wire, head.name);
    const count = counts.get(head.database);
    if (count === undefined) throw new RefloatError("bug", "a key of a database that was not asked for");
    const kind = live === null ? "gone" : isAlike(point, head, live) ? "equal" : "changed";
    count[kind] += 1;
    if (kinds.includes(kind)) wanted.set(idOf(head), { head, valueBytes, point, live });
  }
  await parts.return(undefined);
  await select(0);
  for (const [database, newer] of await countNewer(wire, patterns, known)) {
    const count = counts.get(database);
    if (count !== undefined) count.newer = newer;
  }
  if (known.size === 0) throw noKeyFits(source.words, patterns, ", and keys of another database begin with db1/");
  const warnings = [
    ...(over === 0 ? [] : [`of ${formatAmount(over, "keys")} of the point the time is over: they stay out`]),
    ...(ofModules === 0 ? [] : [`${formatAmount(ofModules, "keys")} of modules stay out, and are not compared`]),
  ];
  return { counts, wanted, warnings };
};

const timeWords = (ms: number | null): string => (ms === null ? "never" : new Date(ms).toISOString());

const sampleOf = ({ head, point, live }: Wanted): MendedTable["samples"][number] => ({
  kind: live === null ? "gone" : "changed",
  key: { key: shownKey(head) },
  columns: [
    ...(live?.digest === point.digest ? [] : [{ name: "value", point: point.words, live: live?.words ?? null }]),
    ...((live === null ? head.expiresAtMs === null : live.expiresAtMs === head.expiresAtMs)
      ? []
      : [
          {
            name: "expires",
            point: timeWords(head.expiresAtMs),
            live: live === null ? null : timeWords(live.expiresAtMs),
          },
        ]),
  ],
});

const tablesOf = ({ counts, wanted }: Compared): MendedTable[] =>
  [...counts].map(([database, count]) => {
    const all = [...wanted.values()].filter(({ head }) => head.database === database);
    const changed = all.filter(({ live }) => live !== null);
    return keysTable({
      name: `db${database}`,
      counts: count,
      columns: {
        value: changed.filter(({ point, live }) => point.digest !== live?.digest).length,
        expires: changed.filter(({ head, live }) => head.expiresAtMs !== live?.expiresAtMs).length,
      },
      samples: all.map(sampleOf),
    });
  });

const stateOf = (value: Pick<LiveKey, "digest" | "expiresAtMs"> | null): KeyState =>
  value === null ? null : { digest: value.digest, expiresAtMs: value.expiresAtMs };

const lineFor = ({ head }: Wanted, more: Pick<KeyLine, "before" | "after" | "sizeBytes">): KeyLine => ({
  name: shownKey(head),
  database: head.database,
  keyBase64: Buffer.from(head.name).toString("base64"),
  ...more,
});

async function* mendScript(
  context: RedisContext,
  source: PointSource,
  wanted: Compared["wanted"],
): AsyncGenerator<string> {
  yield firstLine([
    `Keys of ${context.service}, ${context.component}, as ${source.words} has them.`,
    "Each key has to be as `before` says, else nothing of this is done. `refloat mend --proposal` does it in one MULTI.",
  ]);
  const parts = readRdbKeys(rdbFile(source), (head) => wanted.has(idOf(head)), context.signal);
  for await (const part of { [Symbol.asyncIterator]: () => ({ next: () => parts.next() }) }) {
    const one = part.kind === "key" ? wanted.get(idOf(part.head)) : undefined;
    if (one === undefined) continue;
    const { head, point, live, valueBytes } = one;
    const after = { digest: point.digest, expiresAtMs: head.expiresAtMs };
    const sizeBytes = payloadBytes(valueBytes);
    yield* writeKey(lineFor(one, { before: stateOf(live), after, sizeBytes }), asPayload(head, piecesOf(parts)));
  }
  await parts.return(undefined);
}

/** What is live is read once more, as it lies in the server; what has changed meanwhile is found when the script is done. */
async function* undoScript(context: RedisContext, wire: RedisWire, wanted: Compared["wanted"]): AsyncGenerator<string> {
  yield firstLine([`Takes back what was put into ${context.service}, ${context.component}.`]);
  const select = createSelect(wire);
  for (const one of wanted.values()) {
    const { head, point, live } = one;
    const before = { digest: point.digest, expiresAtMs: head.expiresAtMs };
    if (live === null) {
      yield* writeKey(lineFor(one, { before, after: null, sizeBytes: 0 }), null);
      continue;
    }
    await select(head.database);
    const dumped = await wire.read("DUMP", head.name);
    if (dumped === null)
      throw new RefloatError("rows.changed", `the key ${shownKey(head)} went while keys were compared`, {
        state: "nothing was changed",
      });
    const line = lineFor(one, { before, after: stateOf(live), sizeBytes: dumped.sizeBytes });
    yield* writeKey(line, dumped.bytes);
  }
  await select(0);
}

const onLive = async <Result>(context: RedisContext, act: (wire: RedisWire) => Promise<Result>): Promise<Result> =>
  withRedisWire({ target: await resolveTarget(context), signal: context.signal }, act);

const propose: RowMending<RedisOptions>["propose"] = async (context, given, request) => {
  refuseForRows(request);
  const source = requirePoint(given);
  return onLive(context, async (wire) => {
    await requireMendable(wire, context.component, source.captured.facts.versions["server"] ?? "0");
    const compared = await compareKeys(context, wire, source, request);
    const base = keyProposal({
      source: source.words,
      tables: tablesOf(compared),
      warnings: [...compared.warnings],
      writtenAt: context.clock.now().toISOString(),
      ...(request.again === undefined ? {} : { again: request.again }),
    });
    if (compared.wanted.size === 0) return { ...base, digest: "", undoDigest: "", script: null, undo: null };
    return keepMend(
      context.stateDirectory,
      {
        mend: mendScript(context, source, compared.wanted),
        undo: undoScript(context, wire, compared.wanted),
        describe: (kept) => ({ ...base, ...kept }),
      },
      { extension: "jsonl" },
    );
  });
};

/** From here on nobody changes a key of the script without the transaction being refused. */
const watchAll = async (context: RedisContext, wire: RedisWire, proposal: MendProposal, direction: MendDirection) => {
  const select = createSelect(wire);
  for await (const one of readKeys(readScript(proposal, direction))) {
    context.signal.throwIfAborted();
    const key = Buffer.from(one.keyBase64, "base64");
    await select(one.database);
    await wire.ask("WATCH", key);
    const live = await readLiveKey(wire, key);
    if (live?.digest !== one.before?.digest || live?.expiresAtMs !== one.before?.expiresAtMs)
      throw keyChanged(one.name);
  }
  await select(0);
};

const queueAll = async (context: RedisContext, wire: RedisWire, proposal: MendProposal, direction: MendDirection) => {
  const select = createSelect(wire);
  await wire.ask("MULTI");
  for await (const { database, keyBase64, after, payload, sizeBytes } of readKeys(readScript(proposal, direction))) {
    context.signal.throwIfAborted();
    const key = Buffer.from(keyBase64, "base64");
    await select(database);
    if (after === null || payload === null) await wire.ask("DEL", key);
    else
      await wire.ask(
        "RESTORE",
        key,
        String(after.expiresAtMs ?? 0),
        { sizeBytes, bytes: payload },
        "REPLACE",
        ...(after.expiresAtMs === null ? [] : ["ABSTTL"]),
      );
  }
};

const apply: RowMending<RedisOptions>["apply"] = async (context, proposal, direction) => {
  let isSent = false;
  try {
    await onLive(context, async (wire) => {
      await watchAll(context, wire, proposal, direction);
      await queueAll(context, wire, proposal, direction);
      isSent = true;
      const reply = await wire.ask("EXEC");
      isSent = false;
      if (reply === null)
        throw new RefloatError("rows.changed", "a key was written between the comparison and the transaction");
      const errors = (Array.isArray(reply) ? reply : []).filter((one) => one instanceof WireError);
      const [first] = errors;
      if (first === undefined) return;
      const address = describeAddress(await resolveTarget(context));
      throw new RefloatError(
        "target.failed",
        `${address} did not take ${formatAmount(errors.length, "keys")}: ${first.text}`,
        {
          // Redis takes nothing back of a transaction in which one command fails.
          state: "the other keys of the transaction were put back",
          hint: "compare again: what is shown then is what is still to be done",
        },
      );
    });
  } catch (error) {
    if (error instanceof RefloatError && error.code === "target.failed") throw error;
    if (error instanceof RefloatError && error.code === "rows.changed")
      throw explainFailure(error, { kind: "changed", message: error.message }, direction);
    throw explainFailure(error, { kind: isSent && replyOf(error) === null ? "unheard" : "other" }, direction);
  }
};

const compare: RowMending<RedisOptions>["compare"] = async (context, source, pattern) =>
  onLive(context, async (wire) => {
    await requireMendable(wire, context.component, source.captured.facts.versions["server"] ?? "0");
    const [table] = tablesOf(await compareKeys(context, wire, source, { tables: [pattern], rows: [] }));
    if (table === undefined) throw new RefloatError("bug", "a comparison without a database");
    return table;
  });

export const redisKeyMending: RowMending<RedisOptions> = {
  makesDropped: false,
  ofPointsAlone: true,
  compare,
  propose,
  read: (context, digest) => readMend(context.stateDirectory, digest),
  apply,
};
