/**
 * Reads an RDB file as it passes: that it is whole to its last byte and checksum, and how many keys it holds. Values are stepped over, never built.
 * The format is that of Redis (src/rdb.h, src/rdb.c), versions 6 to 11; what a later version or a module has put in is not stepped over by
 * guessing: from there on keys are not counted, and the checksum alone vouches for the rest.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import { createCrc64 } from "./crc64.ts";

export type RdbFindings = {
  /** Of the format, from the first nine bytes. */
  readonly version: number;
  readonly sizeBytes: number;
  /** What the server wrote about itself: redis-ver, repl-id, repl-offset, ... */
  readonly notes: Readonly<Record<string, string>>;
  /** By database, `db0`; null when something in it is not known here. */
  readonly counts: Readonly<Record<string, { readonly keys: number; readonly expiring: number }>> | null;
  /** Libraries of functions. */
  readonly functions: number;
  /** What ended the counting, in a person's words; null when nothing did. */
  readonly unknown: string | null;
  /** False where the server is told not to make one (rdbchecksum no). */
  readonly hasChecksum: boolean;
};

export type RdbScan = {
  readonly add: (chunk: Uint8Array) => void;
  /** @throws RefloatError source.failed unless it was a whole RDB file */
  readonly end: () => RdbFindings;
};

const magic = "REDIS";
const headerBytes = 9;
const checksumBytes = 8;
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

class UnknownContent extends Error {}

/** The bytes that have come and were not read yet. `yield` of the parser means: more of them. */
class Window {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  isLast = false;

  get left(): number {
    return this.bytes.length - this.at;
  }

  add(chunk: Uint8Array): void {
    if (this.left === 0) this.bytes = chunk;
    else this.bytes = Buffer.concat([this.bytes.subarray(this.at), chunk]);
    this.at = 0;
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

const torn = (): RefloatError =>
  new RefloatError("source.failed", "the server's stream ended before its data did", { state: "no point was made" });

type More = Generator<undefined, void>;

/** At least so many bytes, or all that there are. */
function* want(window: Window, bytes: number): More {
  while (window.left < bytes && !window.isLast) yield;
}

function* skip(window: Window, bytes: number): More {
  let left = bytes;
  while (left > window.left) {
    if (window.isLast) throw torn();
    left -= window.left;
    window.at = window.bytes.length;
    yield;
  }
  window.at += left;
}

function* skipString(window: Window): More {
  if (window.left < longestHead) yield* want(window, longestHead);
  const bytes = window.stringHead();
  if (bytes <= window.left) window.at += bytes;
  else yield* skip(window, bytes);
}

function* readCount(window: Window): Generator<undefined, number> {
  if (window.left < longestHead) yield* want(window, longestHead);
  return window.count();
}

/** Short ones only: of notes. Numbers that the server has packed come as numbers again. */
function* readText(window: Window): Generator<undefined, string> {
  yield* want(window, longestHead);
  const from = window.at;
  const { value, special } = window.length();
  if (special) {
    window.at = from;
    const bytes = window.stringHead();
    yield* want(window, bytes);
    if (window.left < bytes) throw torn();
    const text = value > 2 ? "" : String(Buffer.from(window.bytes).readIntLE(window.at, bytes));
    yield* skip(window, bytes);
    return text;
  }
  yield* want(window, value);
  const text = Buffer.from(window.bytes.subarray(window.at, window.at + value)).toString("utf8");
  yield* skip(window, value);
  return text;
}

/** Scores as text: their length, or one of three values that are no numbers. */
function* skipTextScore(window: Window): More {
  yield* want(window, 1);
  const length = window.byte();
  if (length < 253) yield* skip(window, length);
}

const [idBytes, timeBytes] = [16, 8] as const;

function* skipCounts(window: Window, count: number): More {
  for (let index = 0; index < count; index += 1) yield* readCount(window);
}

function* skipStream(window: Window, type: number): More {
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

function* skipValue(window: Window, type: number): More {
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

type Found = {
  version: number;
  functions: number;
  notes: Record<string, string>;
  counts: Record<string, { keys: number; expiring: number }>;
};

function* parseBody(window: Window, found: Found): More {
  let database = "db0";
  let expires = false;
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
        database = `db${yield* readCount(window)}`;
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
        expires = true;
        yield* skip(window, 8);
        break;
      case opcode.expirySeconds:
        expires = true;
        yield* skip(window, 4);
        break;
      default: {
        if (kind >= firstOpcode) throw new UnknownContent(`an entry of kind ${kind}`);
        yield* skipString(window);
        yield* skipValue(window, kind);
        const counts = (found.counts[database] ??= { keys: 0, expiring: 0 });
        counts.keys += 1;
        if (expires) counts.expiring += 1;
        expires = false;
      }
    }
  }
}

/** @returns why the counting ended early; null when it did not */
function* parse(window: Window, found: Found): Generator<undefined, string | null> {
  yield* want(window, headerBytes);
  const header = Buffer.from(window.bytes.subarray(window.at, window.at + headerBytes)).toString("latin1");
  if (!new RegExp(`^${magic}\\d{4}$`).test(header))
    throw new RefloatError("source.failed", "the server sent something that is no RDB file", {
      state: "no point was made",
    });
  window.at += headerBytes;
  found.version = Number(header.slice(magic.length));
  try {
    yield* parseBody(window, found);
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

export const scanRdb = (): RdbScan => {
  const window = new Window();
  const found: Found = { version: 0, functions: 0, notes: {}, counts: {} };
  const parser = parse(window, found);
  const crc = createCrc64();
  let sizeBytes = 0;
  let kept = Buffer.alloc(0);
  let unknown: string | null = null;
  let isDone = false;
  const step = (): void => {
    if (isDone) return;
    const { done = false, value } = parser.next();
    isDone = done;
    if (done) unknown = value ?? null;
  };
  return {
    add: (chunk) => {
      sizeBytes += chunk.length;
      const all =
        kept.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([kept, chunk]);
      const ready = Math.max(0, all.length - checksumBytes);
      // The last bytes may be the checksum: copied, since what they lie in is the sender's.
      kept = Buffer.from(all.subarray(ready));
      if (ready === 0) return;
      const body = all.subarray(0, ready);
      crc.add(body);
      if (isDone) return;
      window.add(body);
      step();
    },
    end: () => {
      window.isLast = true;
      step();
      if (!isDone || kept.length < checksumBytes) throw torn();
      const checksum = kept.readBigUInt64LE();
      if (checksum !== 0n && checksum !== crc.value())
        throw new RefloatError("source.failed", "what the server sent has not the checksum that it says", {
          state: "no point was made",
        });
      if (checksum === 0n && unknown !== null)
        throw new RefloatError(
          "source.unsupported",
          `whether the data came whole cannot be told: it has no checksum, and ${unknown} is not known here`,
          { hint: "CONFIG SET rdbchecksum yes" },
        );
      return {
        version: found.version,
        sizeBytes,
        notes: found.notes,
        counts: unknown === null ? found.counts : null,
        functions: found.functions,
        unknown,
        hasChecksum: checksum !== 0n,
      };
    },
  };
};
