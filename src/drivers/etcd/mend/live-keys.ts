/** Keys of the live cluster by the gateway: what they are now, one by one or in pages. */
import { hash } from "node:crypto";
import { z } from "zod";
import { shownValueBytes, valueWords } from "../../../core/mend/mend-keys.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { Gateway } from "../gateway.ts";
import { big } from "../server-facts.ts";

export type DigestedValue = {
  /** SHA-256, hex. */
  readonly digest: string;
  /** For people: the begin of it. */
  readonly words: string;
  readonly sizeBytes: number;
};

export const digestValue = (value: Uint8Array): DigestedValue => ({
  digest: hash("sha256", value, "hex"),
  words: valueWords(value.subarray(0, shownValueBytes), value.length),
  sizeBytes: value.length,
});

export type LiveKey = {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Of the transaction that wrote it last. */
  readonly modRevision: string;
};

const rangeSchema = z.object({
  count: big,
  more: z.boolean().default(false),
  kvs: z
    .array(z.object({ key: z.base64(), value: z.base64().default(""), mod_revision: big }))
    .default([])
    .transform((all) =>
      all.map(({ key, value, mod_revision: modRevision }): LiveKey => ({
        key: Buffer.from(key, "base64"),
        value: Buffer.from(value, "base64"),
        modRevision,
      })),
    ),
});

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Asks of kv/, told with the right that it needs where it is refused. */
export const askKeys = async <Answer>(
  gateway: Gateway,
  path: string,
  question: object,
  schema: z.ZodType<Answer>,
): Promise<Answer> => {
  try {
    return await gateway.ask(path, question, schema);
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code !== "source.denied") throw error;
    throw new RefloatError(error.code, error.message, {
      cause: error,
      hint: "keys are put back by a user with the role root, or one that may read and write them: etcdctl role grant-permission ROLE --prefix=true readwrite /app/",
    });
  }
};

const readSchema = z.object({ responses: z.array(z.object({ response_range: rangeSchema })) });

/** So many are asked for at once: each connection takes longer than a key. */
export const keysAtOnce = 16;

/** In the order of their names here, at most `keysAtOnce`; null where one is not there. */
export const readLiveKeys = async (
  gateway: Gateway,
  keys: readonly Uint8Array[],
): Promise<readonly (LiveKey | null)[]> => {
  const success = keys.map((key) => ({ request_range: { key: base64(key) } }));
  const { responses } = await askKeys(gateway, "kv/txn", { success }, readSchema);
  if (responses.length !== keys.length)
    throw new RefloatError("source.failed", "the server answers for other keys than were asked for");
  return responses.map(({ response_range: { kvs } }) => kvs[0] ?? null);
};

/** As many at once as `readLiveKeys` takes. */
export async function* inBatches<Item>(items: AsyncIterable<Item> | Iterable<Item>): AsyncGenerator<readonly Item[]> {
  let batch: Item[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < keysAtOnce) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const zeroByte = Buffer.alloc(1);

/** The first name behind this one. */
export const behind = (key: Uint8Array): Buffer => Buffer.concat([key, zeroByte]);

/** The end of the range of all names that begin so: zero for one without an end. */
const endOfPrefix = (prefix: Uint8Array): Buffer => {
  for (let at = prefix.length - 1; at >= 0; at -= 1) {
    const byte = prefix[at] ?? 0;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, at), Buffer.of(byte + 1)]);
  }
  return zeroByte;
};

const firstPageKeys = 16;
/** Small keys may be followed by large ones: as many of the largest that servers usually take still make an answer that can be held. */
const mostPageKeys = 64;
/** An answer is held as text, as long as it is read. */
const pageBytes = 8_388_608;

/** In order of their names. */
export async function* scanLiveKeys(gateway: Gateway, prefix: Uint8Array): AsyncGenerator<LiveKey> {
  const end = base64(endOfPrefix(prefix));
  let from: Uint8Array = prefix.length === 0 ? zeroByte : prefix;
  let limit = firstPageKeys;
  for (;;) {
    const question = { key: base64(from), range_end: end, limit: String(limit) };
    const { kvs, more } = await askKeys(gateway, "kv/range", question, rangeSchema);
    yield* kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) return;
    const sizeBytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    limit = Math.max(1, Math.min(mostPageKeys, Math.floor((pageBytes * kvs.length) / sizeBytes)));
    from = behind(last.key);
  }
}

/** How many keys there are from one name up to, and with, another. */
export const countLiveKeys = async (gateway: Gateway, from: Uint8Array, last: Uint8Array): Promise<number> => {
  const question = { key: base64(from), range_end: base64(behind(last)), count_only: true };
  return Number((await askKeys(gateway, "kv/range", question, rangeSchema)).count);
};
