/**
 * What a value is made of, however the server has packed it: by this two values are compared, and shown to people. An element is held in memory as a whole,
 * a value is not; of a string the pieces come as they lie in the file.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { unpackLzf } from "./lzf.ts";
import { intsetElements, listpackElements, ziplistElements } from "./packed-elements.ts";
import { RdbWindow, readCount, readString, torn, want } from "./rdb-format.ts";

export type ValueKind = "string" | "list" | "set" | "zset" | "hash" | "stream" | "module";

/** One string, or a member, or a field and its value, or a member and its score as text. */
export type ValueElement = readonly Uint8Array[];

type Packing =
  | "strings"
  | "text scores"
  | "binary scores"
  | "ziplist"
  | "listpack"
  | "intset"
  | "ziplists"
  | "listpacks"
  | null;

/** By the number of the type in the file; null for what is not taken apart here. */
const types: ReadonlyMap<number, { readonly kind: ValueKind; readonly packing: Packing }> = new Map([
  [0, { kind: "string", packing: null }],
  [1, { kind: "list", packing: "strings" }],
  [2, { kind: "set", packing: "strings" }],
  [3, { kind: "zset", packing: "text scores" }],
  [4, { kind: "hash", packing: "strings" }],
  [5, { kind: "zset", packing: "binary scores" }],
  [6, { kind: "module", packing: null }],
  [7, { kind: "module", packing: null }],
  [9, { kind: "hash", packing: null }],
  [10, { kind: "list", packing: "ziplist" }],
  [11, { kind: "set", packing: "intset" }],
  [12, { kind: "zset", packing: "ziplist" }],
  [13, { kind: "hash", packing: "ziplist" }],
  [14, { kind: "list", packing: "ziplists" }],
  [15, { kind: "stream", packing: null }],
  [16, { kind: "hash", packing: "listpack" }],
  [17, { kind: "zset", packing: "listpack" }],
  [18, { kind: "list", packing: "listpacks" }],
  [19, { kind: "stream", packing: null }],
  [20, { kind: "set", packing: "listpack" }],
  [21, { kind: "stream", packing: null }],
]);

export const kindOfType = (type: number): ValueKind => types.get(type)?.kind ?? "module";

/** Can the value be taken apart? */
export const hasElements = (type: number): boolean => type === 0 || (types.get(type)?.packing ?? null) !== null;

const widthOf = (kind: ValueKind): 1 | 2 => (kind === "hash" || kind === "zset" ? 2 : 1);

type More<Value> = Generator<Value | undefined, void>;

/** The head of a compressed string says how long it is, and the whole of it is needed; any other comes as it comes. */
function* stringPieces(window: RdbWindow): More<ValueElement> {
  yield* want(window, 19);
  const first = window.bytes[window.at] ?? 0;
  if (first >= 0xc0 && first !== 0xc3) {
    yield [yield* readString(window)];
    return;
  }
  if (first === 0xc3) {
    window.at += 1;
    const packedBytes = window.count();
    const unpackedBytes = window.count();
    yield* want(window, packedBytes);
    if (window.left < packedBytes) throw torn();
    const packed = window.bytes.subarray(window.at, window.at + packedBytes);
    window.at += packedBytes;
    yield [unpackLzf(packed, unpackedBytes)];
    return;
  }
  for (let left = window.count(); left > 0;) {
    if (window.left === 0) yield* want(window, 1);
    if (window.left === 0) throw torn();
    const bytes = window.bytes.subarray(window.at, window.at + left);
    window.at += bytes.length;
    left -= bytes.length;
    yield [bytes];
  }
}

function* grouped(elements: Iterable<Uint8Array>, width: 1 | 2): Generator<ValueElement> {
  let first: Uint8Array | null = null;
  for (const element of elements) {
    if (width === 1) yield [element];
    else if (first === null) first = element;
    else {
      yield [first, element];
      first = null;
    }
  }
  if (first !== null) throw new RefloatError("point.damaged", "a packed collection ends in the middle of an element");
}

function* readTextScore(window: RdbWindow): Generator<undefined, Uint8Array> {
  yield* want(window, 256);
  const length = window.byte();
  if (length >= 253) return Buffer.from(["nan", "inf", "-inf"][length - 253] ?? "");
  if (window.left < length) throw torn();
  window.at += length;
  return window.bytes.subarray(window.at - length, window.at);
}

function* readBinaryScore(window: RdbWindow): Generator<undefined, Uint8Array> {
  yield* want(window, 8);
  if (window.left < 8) throw torn();
  const score = Buffer.from(window.bytes.subarray(window.at, window.at + 8)).readDoubleLE();
  window.at += 8;
  return Buffer.from(scoreText(score));
}

const scoreText = (score: number): string =>
  Number.isFinite(score) ? String(score) : Number.isNaN(score) ? "nan" : score > 0 ? "inf" : "-inf";

/** The same score has several spellings in the server's own texts. */
const readScore = (text: Uint8Array): string => {
  const said = Buffer.from(text).toString("latin1");
  return /^[+-]?(?:inf|nan)/i.test(said) ? said.replace(/^\+/, "").toLowerCase() : scoreText(Number(said));
};

const inOneString = { ziplist: ziplistElements, listpack: listpackElements, intset: intsetElements } as const;

function* readElements(window: RdbWindow, type: number): More<ValueElement> {
  const known = types.get(type);
  if (type === 0) {
    yield* stringPieces(window);
    return;
  }
  if (known === undefined || known.packing === null) throw new RefloatError("bug", `type ${type} has no elements`);
  const { kind, packing } = known;
  const width = widthOf(kind);
  const unpack = packing === "ziplist" || packing === "listpack" || packing === "intset" ? inOneString[packing] : null;
  if (unpack !== null) {
    yield* grouped(unpack(yield* readString(window)), width);
    return;
  }
  for (let left = yield* readCount(window); left > 0; left -= 1) {
    if (packing === "ziplists") yield* grouped(ziplistElements(yield* readString(window)), 1);
    else if (packing === "listpacks") {
      // 1: an element too large to be packed, 2: packed ones.
      const container = yield* readCount(window);
      const node = yield* readString(window);
      if (container === 1) yield [node];
      else yield* grouped(listpackElements(node), 1);
    } else {
      // A copy: the window may move on before the second is read.
      const first = Buffer.from(yield* readString(window));
      if (packing === "text scores") yield [first, yield* readTextScore(window)];
      else if (packing === "binary scores") yield [first, yield* readBinaryScore(window)];
      else yield width === 1 ? [first] : [first, yield* readString(window)];
    }
  }
}

/**
 * @param pieces the bytes of a value as they lie in a file or in what DUMP gives, without type and checksum
 * @throws RefloatError point.damaged, source.failed
 */
export async function* elementsOf(type: number, pieces: ByteStream): AsyncGenerator<ValueElement> {
  const window = new RdbWindow();
  const reader = readElements(window, type);
  const isScored = kindOfType(type) === "zset";
  const given = (element: ValueElement): ValueElement =>
    isScored ? [element[0] ?? new Uint8Array(), Buffer.from(readScore(element[1] ?? new Uint8Array()))] : element;
  let next = reader.next();
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    window.add(piece);
    for (next = reader.next(); next.done !== true && next.value !== undefined; next = reader.next())
      yield given(next.value);
  }
  window.isLast = true;
  for (; next.done !== true; next = reader.next()) if (next.value !== undefined) yield given(next.value);
}
