/** The keys of an RDB file one after another, with the bytes of the values that somebody wants: what has come of the file is held, and no more. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { createCrc64 } from "./crc64.ts";
import { type RdbFound, type RdbKeyHead, RdbWindow, parseRdb } from "./rdb-format.ts";

export type RdbPart =
  | { readonly kind: "key"; readonly head: RdbKeyHead }
  /** Of the value of the key before, if it was wanted. Good until the next part is asked for. */
  | { readonly kind: "piece"; readonly bytes: Uint8Array }
  /** Of a value in the file, wanted or not. */
  | { readonly kind: "end"; readonly head: RdbKeyHead; readonly sizeBytes: number };

const notWhole = (cause: unknown): RefloatError =>
  new RefloatError("point.damaged", "the captured file of the keys ends before its keys do, or is no RDB file", {
    cause,
  });

/** The file's own checksum, which is of no use where every byte is verified. */
const checksumBytes = 8;

async function* withoutEnd(file: ByteStream): ByteStream {
  let kept: Uint8Array = new Uint8Array();
  for await (const chunk of file) {
    if (chunk.length < checksumBytes) kept = Buffer.concat([kept, chunk]);
    else {
      yield kept;
      yield chunk.subarray(0, chunk.length - checksumBytes);
      kept = chunk.subarray(chunk.length - checksumBytes);
      continue;
    }
    yield kept.subarray(0, Math.max(0, kept.length - checksumBytes));
    kept = kept.subarray(Math.max(0, kept.length - checksumBytes));
  }
}

/**
 * @param file whose bytes are verified by whoever gives them
 * @throws RefloatError point.damaged; source.unsupported where something is not known here, and only what came before it can be told
 */
export async function* readRdbKeys(
  file: ByteStream,
  wants: (head: RdbKeyHead) => boolean,
  signal: AbortSignal,
): AsyncGenerator<RdbPart> {
  const window = new RdbWindow();
  const found: RdbFound = { version: 0, functions: 0, notes: {}, counts: {} };
  let parts: RdbPart[] = [];
  let last: RdbKeyHead | null = null;
  const parser = parseRdb(window, found, {
    key: (head) => {
      last = head;
      parts.push({ kind: "key", head });
      return wants(head);
    },
    piece: (bytes) => parts.push({ kind: "piece", bytes }),
    end: (sizeBytes) => {
      if (last !== null) parts.push({ kind: "end", head: last, sizeBytes });
    },
  });
  const step = (): boolean => {
    try {
      const { done = false, value } = parser.next();
      if (done && typeof value === "string")
        throw new RefloatError("source.unsupported", `${value} is not known here: what follows cannot be told`, {
          hint: "refloat extract POINT:COMPONENT:data/dump.rdb takes the whole file, which its own server reads",
        });
      return done;
    } catch (error) {
      throw error instanceof RefloatError && error.code === "source.failed" ? notWhole(error) : error;
    }
  };
  const given = function* (): Generator<RdbPart> {
    const now = parts;
    parts = [];
    yield* now;
  };
  for await (const chunk of withoutEnd(file)) {
    signal.throwIfAborted();
    window.add(chunk);
    if (step()) break;
    yield* given();
  }
  window.isLast = true;
  step();
  yield* given();
}

/** What is behind the value in what DUMP gives and RESTORE takes: the version of the format and a checksum of all before (Redis, src/cluster.c). */
export const payloadFootBytes = 10;
export const payloadBytes = (valueBytes: number): number => 1 + valueBytes + payloadFootBytes;

/** A value as DUMP would have given it. */
export async function* asPayload({ type, version }: RdbKeyHead, pieces: ByteStream): ByteStream {
  const crc = createCrc64();
  const head = Buffer.of(type);
  crc.add(head);
  yield head;
  for await (const piece of pieces) {
    crc.add(piece);
    yield piece;
  }
  const foot = Buffer.alloc(payloadFootBytes);
  foot.writeUInt16LE(version);
  crc.add(foot.subarray(0, 2));
  foot.writeBigUInt64LE(crc.value(), 2);
  yield foot;
}
