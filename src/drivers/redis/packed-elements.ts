/** Small collections that Redis keeps in one string: listpack (src/listpack.c), ziplist (src/ziplist.c), intset (src/intset.c). Their elements in order, numbers as text. */
import { RefloatError } from "../../model/refloat-error.ts";

const damaged = (): RefloatError => new RefloatError("point.damaged", "a packed collection does not unpack");

/** Reads what must be there. @throws RefloatError point.damaged */
class PackedReader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
  }

  take(length: number): Buffer {
    if (this.at + length > this.#bytes.length) throw damaged();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  /** Signed, low byte first. */
  integer(bytes: 1 | 2 | 3 | 4 | 8): Uint8Array {
    const taken = this.take(bytes);
    return Buffer.from(String(bytes === 8 ? taken.readBigInt64LE() : taken.readIntLE(0, bytes)));
  }
}

const endByte = 0xff;
const listpackHeadBytes = 6;
const ziplistHeadBytes = 10;
const intsetHeadBytes = 8;

/** How many bytes the length of an entry takes behind it, by which it is read from its end. */
const backLengthBytes = (entryBytes: number): number =>
  entryBytes < 128 ? 1 : entryBytes < 16_384 ? 2 : entryBytes < 2_097_152 ? 3 : entryBytes < 268_435_456 ? 4 : 5;

const listpackIntegers: ReadonlyMap<number, 2 | 3 | 4 | 8> = new Map([
  [0xf1, 2],
  [0xf2, 3],
  [0xf3, 4],
  [0xf4, 8],
]);

const listpackEntry = (reader: PackedReader, first: number): Uint8Array => {
  if (first < 0x80) return Buffer.from(String(first));
  if (first < 0xc0) return reader.take(first & 0x3f);
  if (first < 0xe0) {
    const value = ((first & 0x1f) << 8) | reader.byte();
    return Buffer.from(String(value >= 4_096 ? value - 8_192 : value));
  }
  if (first < 0xf0) return reader.take(((first & 0x0f) << 8) | reader.byte());
  if (first === 0xf0) return reader.take(reader.take(4).readUInt32LE());
  const bytes = listpackIntegers.get(first);
  if (bytes === undefined) throw damaged();
  return reader.integer(bytes);
};

export function* listpackElements(packed: Uint8Array): Generator<Uint8Array> {
  const reader = new PackedReader(packed, listpackHeadBytes);
  for (;;) {
    const from = reader.at;
    const first = reader.byte();
    if (first === endByte) return;
    yield listpackEntry(reader, first);
    reader.take(backLengthBytes(reader.at - from));
  }
}

const ziplistIntegers: ReadonlyMap<number, 1 | 2 | 3 | 4 | 8> = new Map([
  [0xc0, 2],
  [0xd0, 4],
  [0xe0, 8],
  [0xf0, 3],
  [0xfe, 1],
]);

const ziplistEntry = (reader: PackedReader, first: number): Uint8Array => {
  if (first < 0x40) return reader.take(first);
  if (first < 0x80) return reader.take(((first & 0x3f) << 8) | reader.byte());
  if (first < 0xc0) return reader.take(reader.take(4).readUInt32BE());
  const bytes = ziplistIntegers.get(first);
  if (bytes !== undefined) return reader.integer(bytes);
  if (first > 0xf0 && first < 0xfe) return Buffer.from(String((first & 0x0f) - 1));
  throw damaged();
};

/** An entry begins with the length of the one before it, in one byte or, behind 254, in four. */
export function* ziplistElements(packed: Uint8Array): Generator<Uint8Array> {
  const reader = new PackedReader(packed, ziplistHeadBytes);
  for (;;) {
    const before = reader.byte();
    if (before === endByte) return;
    if (before === 0xfe) reader.take(4);
    yield ziplistEntry(reader, reader.byte());
  }
}

export function* intsetElements(packed: Uint8Array): Generator<Uint8Array> {
  const reader = new PackedReader(packed, 0);
  const [width, count] = [reader.take(4).readUInt32LE(), reader.take(4).readUInt32LE()];
  if ((width !== 2 && width !== 4 && width !== 8) || packed.length !== intsetHeadBytes + width * count) throw damaged();
  for (let index = 0; index < count; index += 1) yield reader.integer(width);
}
