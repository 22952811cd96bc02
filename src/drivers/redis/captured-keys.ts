/** Keys of a captured server, out of the RDB file of the point. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CapturedKey, CapturedKeys, KeySource } from "../../core/ports/captured-keys.ts";
import { isPattern, keyPattern } from "../../core/granular/key-pattern.ts";
import { isText, readName, showName } from "../../core/text/shown-name.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { dataName, rdbName } from "./captured-detail.ts";
import { type ValueElement, type ValueKind, elementsOf, hasElements, kindOfType } from "./rdb-elements.ts";
import type { RdbKeyHead } from "./rdb-format.ts";
import { type RdbPart, asPayload, readRdbKeys } from "./rdb-keys.ts";

/** @throws RefloatError point.damaged, vault.* */
export async function* rdbFile({ tree, captured }: KeySource): ByteStream {
  const path = `${captured.path}/${dataName}/${rdbName}`;
  const entry = await tree.entry(Buffer.from(path));
  if (entry === undefined) throw new RefloatError("point.damaged", `the point has no ${path}`);
  yield* tree.content(entry);
}

const databasePrefix = /^db(?<number>\d+)\/(?<name>.*)$/s;

/** Keys of database 0 need no prefix, unless they begin like one. */
export const prefixOf = (database: number, key: Uint8Array): string =>
  database !== 0 || databasePrefix.test(Buffer.from(key).toString("latin1")) ? `db${database}/` : "";

/** `db1/user:*` is of database 1; without a prefix it is of database 0. */
export const parseKeyName = (typed: string): { readonly database: number; readonly name: string } => {
  const { number, name } = databasePrefix.exec(typed)?.groups ?? {};
  return number === undefined || name === undefined ? { database: 0, name: typed } : { database: Number(number), name };
};

export const keyWish = (typed: string): ((head: Pick<RdbKeyHead, "database" | "name">) => boolean) => {
  const { database, name } = parseKeyName(typed);
  const fits = keyPattern(name);
  return (head) => head.database === database && fits(head.name);
};

const lastTimeMs = 8_640_000_000_000_000;

/** A server takes times that no calendar has. */
const isoTime = (ms: number | null): string | null =>
  ms === null ? null : new Date(Math.max(0, Math.min(ms, lastTimeMs))).toISOString();

async function* listKeys(source: KeySource, typed: string | null, signal: AbortSignal): AsyncGenerator<CapturedKey> {
  const fits = typed === null ? () => true : keyWish(typed);
  for await (const part of readRdbKeys(rdbFile(source), () => false, signal)) {
    if (part.kind !== "end" || !fits(part.head)) continue;
    const { name, database, type, expiresAtMs } = part.head;
    yield {
      key: name,
      prefix: prefixOf(database, name),
      type: kindOfType(type),
      sizeBytes: part.sizeBytes,
      expiresAt: isoTime(expiresAtMs),
    };
    // A name is there once.
    if (typed !== null && !isPattern(typed)) return;
  }
}

/** The pieces of the value of the key that was just read, up to its end. */
export async function* piecesOf(parts: AsyncIterator<RdbPart>): ByteStream {
  for (;;) {
    const next = await parts.next();
    if (next.done === true) throw new RefloatError("bug", "a value has no end");
    if (next.value.kind === "end") return;
    if (next.value.kind === "piece") yield next.value.bytes;
  }
}

const jsonText = (bytes: Uint8Array): unknown =>
  isText(bytes) ? Buffer.from(bytes).toString("utf8") : { base64: Buffer.from(bytes).toString("base64") };

const jsonElement = (kind: ValueKind, [first = new Uint8Array(), second]: ValueElement): unknown => {
  if (second === undefined) return jsonText(first);
  const score = Number(Buffer.from(second).toString("latin1"));
  return [jsonText(first), kind === "zset" && Number.isFinite(score) ? score : jsonText(second)];
};

async function* asJsonLines(type: number, pieces: ByteStream): ByteStream {
  const kind = kindOfType(type);
  for await (const element of elementsOf(type, pieces))
    yield Buffer.from(`${JSON.stringify(jsonElement(kind, element))}\n`);
}

/** A string as it is; anything else in lines of JSON, an element each. */
async function* asValue(head: RdbKeyHead, pieces: ByteStream, typed: string): ByteStream {
  if (!hasElements(head.type))
    throw new RefloatError("usage", `${typed} is a ${kindOfType(head.type)}, which is not taken apart here`, {
      hint: "with --dump it comes as the server's own RESTORE takes it",
    });
  if (kindOfType(head.type) !== "string") yield* asJsonLines(head.type, pieces);
  else for await (const [piece = new Uint8Array()] of elementsOf(head.type, pieces)) yield piece;
}

async function* takeKey(source: KeySource, { typed, form, signal }: Parameters<CapturedKeys["take"]>[1]): ByteStream {
  const { database, name } = parseKeyName(typed);
  const key = readName(name);
  const isMeant = (head: RdbKeyHead): boolean => head.database === database && Buffer.compare(head.name, key) === 0;
  const parts = readRdbKeys(rdbFile(source), isMeant, signal);
  try {
    for (;;) {
      const next = await parts.next();
      if (next.done === true) break;
      if (next.value.kind !== "key" || !isMeant(next.value.head)) continue;
      const { head } = next.value;
      const pieces = piecesOf(parts);
      yield* form === "dump" ? asPayload(head, pieces) : asValue(head, pieces, typed);
      return;
    }
  } finally {
    await parts.return(undefined);
  }
  throw new RefloatError(
    "point.unknown",
    `database ${database} of ${source.captured.name} has no key ${showName(key)} in this point`,
    { hint: "names are typed as refloat browse shows them; keys of another database as db1/NAME" },
  );
}

export const redisCapturedKeys: CapturedKeys = { list: listKeys, take: takeKey };
