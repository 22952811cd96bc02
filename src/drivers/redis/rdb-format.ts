/**
 * The RDB format of Redis (src/rdb.h, src/rdb.c), versions 6 to 11, read as it passes: values are stepped over, and given away as bytes to whoever wants them.
 * What a later version or a module has put in is not stepped over by guessing: reading ends there.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import { unpackLzf } from "./lzf.ts";

const magic = "REDIS";
const headerBytes = 9;
/** The longest head of a string: its kind and two lengths of eight bytes. */
const longestHead = 19;

const opcode = {
  slot: 244,
  functions: 245,
  idle: 248,
  frequency: 249,
  note: 250,
  sizes: 251,
  expiryMs: 252,
  expirySeconds: 253,
  database: 254,
  end: 255,
} as const;

/** From here on a kind is no type of a value. Those that are not read here (246, and 247 of modules) are followed by no key. */
const firstOpcode = opcode.slot;

/** Types of values that are one string, or so many strings per counted entry. */
const oneString: ReadonlySet<number> = new Set([0, 9, 10, 11, 12, 13, 16, 17, 20]);
const stringsPerEntry: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 1],
  [4, 2],
  [14, 1],
]);
const [sortedSet, sortedSetBinary, quicklist] = [3, 5, 18] as const;
const streams: ReadonlySet<number> = new Set([15, 19, 21]);

export class UnknownContent extends Error {}

/** The bytes that have come and were not read yet. `yield` of the parser means: more of them. */
export class RdbWindow {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  isLast = false;
  /** Of the file, up to the first of `bytes`. */
  #before = 0;
  #take: ((bytes: Uint8Array) => void) | null = null;
  #taken = 0;

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** Bytes that were read so far. */
  get position(): number {
    return this.#before + this.at;
  }

  add(chunk: Uint8Array): void {
    this.#flush();
    this.#before += this.at;
    if (this.left === 0) this.bytes = chunk;
    else this.bytes = Buffer.concat([this.bytes.subarray(this.at), chunk]);
    this.at = 0;
    this.#taken = 0;
  }

  /** From here on `take` is given what is read, in order, until `untap`. */
  tap(take: (bytes: Uint8Array) => void): void {
    this.#take = take;
    this.#taken = this.at;
  }

  untap(): void {
    this.#flush();
    this.#take = null;
  }

  #flush(): void {
    if (this.#take !== null && this.at > this.#taken) this.#take(this.bytes.subarray(this.#taken, this.at));
    this.#taken = this.at;
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw torn();
    this.at += 1;
    return byte;
  }

  number(bytes: number): number {
    let value = 0;
    for (let index = 0; index < bytes; index += 1) value = value * 256 + this.byte();
    return value;
  }

  /** @returns the length, or with `special` set how a short value is packed */
  length(): { readonly value: number; readonly special: boolean } {
    const first = this.byte();
    const value = first & 0x3f;
    if (first >> 6 === 0) return { value, special: false };
    if (first >> 6 === 1) return { value: value * 256 + this.byte(), special: false };
    if (first >> 6 === 3) return { value, special: true };
    if (first === 0x80) return { value: this.number(4), special: false };
    if (first === 0x81) return { value: this.number(8), special: false };
    throw new UnknownContent(`a length that begins with ${first}`);
  }

  count(): number {
    const { value, special } = this.length();
    if (special) throw new UnknownContent("a packed value where a length belongs");
    return value;
  }

  /** Reads the head of a string. @returns how many bytes of it follow */
  stringHead(): number {
    const { value, special } = this.length();
    if (!special) return value;
    if (value <= 2) return 1 << value;
    if (value !== 3) throw new UnknownContent(`a string of kind ${value}`);
    const packed = this.count();
    this.count();
    return packed;
  }
}

export const torn = (): RefloatError =>
  new RefloatError("source.failed", "the server's stream ended before its data did", { state: "no point was made" });

type More = Generator<undefined, void>;

/** At least so many bytes, or all that there are. */
export function* want(window: RdbWindow, bytes: number): More {
  while (window.left < bytes && !window.isLast) yield;
}

export function* skip(window: RdbWindow, bytes: number): More {
  let left = bytes;
  while (left > window.left) {
    if (window.isLast) throw torn();
    left -= window.left;
    window.at = window.bytes.length;
    yield;
  }
  window.at += left;
}

function* skipString(window: RdbWindow): More {
  if (window.left < longestHead) yield* want(window, longestHead);
  const bytes = window.stringHead();
  if (bytes <= window.left) window.at += bytes;
  else yield* skip(window, bytes);
}

export function* readCount(window: RdbWindow): Generator<undefined, number> {
  if (window.left < longestHead) yield* want(window, longestHead);
  return window.count();
}

/** Unpacked: a number as text, what was compressed as it was. All of it is held in memory. */
export function* readString(window: RdbWindow): Generator<undefined, Uint8Array> {
  if (window.left < longestHead) yield* want(window, longestHead);
  const { value, special } = window.length();
  if (special && value > 3) throw new UnknownContent(`a string of kind ${value}`);
  const isPacked = special && value === 3;
  const length = isPacked ? window.count() : special ? 1 << value : value;
  const unpackedBytes = isPacked ? window.count() : 0;
  if (window.left < length) yield* want(window, length);
  if (window.left < length) throw torn();
  const bytes = window.bytes.subarray(window.at, window.at + length);
  window.at += length;
  if (isPacked) return unpackLzf(bytes, unpackedBytes);
  return special ? Buffer.from(String(Buffer.from(bytes).readIntLE(0, length))) : bytes;
}

function* readText(window: RdbWindow): Generator<undefined, string> {
  return Buffer.from(yield* readString(window)).toString("utf8");
}

/** Scores as text: their length, or one of three values that are no numbers. */
function* skipTextScore(window: RdbWindow): More {
  yield* want(window, 1);
  const length = window.byte();
  if (length < 253) yield* skip(window, length);
}

const [idBytes, timeBytes] = [16, 8] as const;

function* skipCounts(window: RdbWindow, count: number): More {
  for (let index = 0; index < count; index += 1) yield* readCount(window);
}

function* skipStream(window: RdbWindow, type: number): More {
  for (let left = yield* readCount(window); left > 0; left -= 1) {
    yield* skipString(window);
    yield* skipString(window);
  }
  // Entries and the last id; since 7.0 also the first id, the highest deleted one, and how many were ever added.
  yield* skipCounts(window, type === 15 ? 3 : 8);
  for (let groups = yield* readCount(window); groups > 0; groups -= 1) {
    yield* skipString(window);
    yield* skipCounts(window, type === 15 ? 2 : 3);
    for (let pending = yield* readCount(window); pending > 0; pending -= 1) {
      yield* skip(window, idBytes + timeBytes);
      yield* readCount(window);
    }
    for (let consumers = yield* readCount(window); consumers > 0; consumers -= 1) {
      yield* skipString(window);
      yield* skip(window, type === 21 ? 2 * timeBytes : timeBytes);
      const pending = yield* readCount(window);
      yield* skip(window, pending * idBytes);
    }
  }
}

function* skipValue(window: RdbWindow, type: number): More {
  if (oneString.has(type)) {
    yield* skipString(window);
    return;
  }
  if (streams.has(type)) {
    yield* skipStream(window, type);
    return;
  }
  const strings = stringsPerEntry.get(type);
  if (strings === undefined && type !== sortedSet && type !== sortedSetBinary && type !== quicklist)
    throw new UnknownContent(`a value of type ${type}`);
  for (let left = yield* readCount(window); left > 0; left -= 1) {
    if (strings !== undefined) for (let index = 0; index < strings; index += 1) yield* skipString(window);
    else {
      if (type === quicklist) yield* readCount(window);
      yield* skipString(window);
      if (type === sortedSet) yield* skipTextScore(window);
      if (type === sortedSetBinary) yield* skip(window, 8);
    }
  }
}

export type RdbFound = {
  version: number;
  functions: number;
  notes: Record<string, string>;
  counts: Record<string, { keys: number; expiring: number }>;
};

export type RdbKeyHead = {
  /** Of the format. */
  readonly version: number;
  readonly database: number;
  readonly name: Uint8Array;
  /** As the file numbers them. */
  readonly type: number;
  /** Since 1970. */
  readonly expiresAtMs: number | null;
};

/** Who looks at keys as they pass. */
export type RdbVisitor = {
  /** @returns whether the bytes of its value are wanted */
  readonly key: (head: RdbKeyHead) => boolean;
  /** Bytes of the value, good until the next ones. */
  readonly piece: (bytes: Uint8Array) => void;
  readonly end: (sizeBytes: number) => void;
};

function* visitValue(window: RdbWindow, head: RdbKeyHead, visitor: RdbVisitor): More {
  const isWanted = visitor.key(head);
  const from = window.position;
  if (isWanted) window.tap(visitor.piece);
  yield* skipValue(window, head.type);
  if (isWanted) window.untap();
  visitor.end(window.position - from);
}

function* readTime(window: RdbWindow, bytes: 4 | 8): Generator<undefined, number> {
  if (window.left < bytes) yield* want(window, bytes);
  if (window.left < bytes) throw torn();
  const view = new DataView(window.bytes.buffer, window.bytes.byteOffset + window.at, bytes);
  window.at += bytes;
  return bytes === 8 ? Number(view.getBigInt64(0, true)) : view.getInt32(0, true) * 1_000;
}

function* parseBody(window: RdbWindow, found: RdbFound, visitor: RdbVisitor | null): More {
  let database = 0;
  let expiresAtMs: number | null = null;
  for (;;) {
    if (window.left === 0) yield* want(window, 1);
    const kind = window.byte();
    switch (kind) {
      case opcode.end:
        return;
      case opcode.note: {
        const name = yield* readText(window);
        found.notes[name] = yield* readText(window);
        break;
      }
      case opcode.database:
        database = yield* readCount(window);
        break;
      case opcode.sizes:
        yield* skipCounts(window, 2);
        break;
      case opcode.slot:
        yield* skipCounts(window, 3);
        break;
      case opcode.functions:
        yield* skipString(window);
        found.functions += 1;
        break;
      case opcode.idle:
        yield* readCount(window);
        break;
      case opcode.frequency:
        yield* skip(window, 1);
        break;
      case opcode.expiryMs:
        expiresAtMs = yield* readTime(window, 8);
        break;
      case opcode.expirySeconds:
        expiresAtMs = yield* readTime(window, 4);
        break;
      default: {
        if (kind >= firstOpcode) throw new UnknownContent(`an entry of kind ${kind}`);
        if (visitor === null) {
          yield* skipString(window);
          yield* skipValue(window, kind);
        } else {
          // What it lies in may be overwritten by what comes next.
          const name = Buffer.from(yield* readString(window));
          yield* visitValue(window, { version: found.version, database, name, type: kind, expiresAtMs }, visitor);
        }
        const counts = (found.counts[`db${database}`] ??= { keys: 0, expiring: 0 });
        counts.keys += 1;
        if (expiresAtMs !== null) counts.expiring += 1;
        expiresAtMs = null;
      }
    }
  }
}

/**
 * Reads a whole file, up to its checksum, which is kept back by whoever feeds the window.
 * @returns why it ended early; null when it did not
 */
export function* parseRdb(
  window: RdbWindow,
  found: RdbFound,
  visitor: RdbVisitor | null = null,
): Generator<undefined, string | null> {
  yield* want(window, headerBytes);
  const header = Buffer.from(window.bytes.subarray(window.at, window.at + headerBytes)).toString("latin1");
  if (!new RegExp(`^${magic}\\d{4}$`).test(header))
    throw new RefloatError("source.failed", "the server sent something that is no RDB file", {
      state: "no point was made",
    });
  window.at += headerBytes;
  found.version = Number(header.slice(magic.length));
  try {
    yield* parseBody(window, found, visitor);
  } catch (error) {
    if (error instanceof UnknownContent) return `${error.message} (format ${found.version})`;
    throw error;
  }
  if (window.left > 0) throw new RefloatError("source.failed", "the server sent more than its RDB file");
  // What comes behind the end is kept back for its checksum, and has not come here.
  while (!window.isLast) {
    yield;
    if (window.left > 0) throw new RefloatError("source.failed", "the server sent more than its RDB file");
  }
  return null;
}
