/** A stream whose last bytes are known, without them. */
import type { ByteStream } from "../core/ports/bytes.ts";

/** Passes everything but the end on. @throws what `missing` makes when the stream does not end so, after everything else was passed on */
export async function* withoutEnd(source: ByteStream, end: Uint8Array, missing: () => Error): ByteStream {
  let held: Uint8Array = new Uint8Array();
  for await (const chunk of source) {
    if (chunk.length >= end.length) {
      if (held.length > 0) yield held;
      const keep = chunk.length - end.length;
      if (keep > 0) yield chunk.subarray(0, keep);
      // A copy: the chunk may be gone when the next one is here.
      held = Buffer.from(chunk.subarray(keep));
    } else {
      const joined = Buffer.concat([held, chunk]);
      const keep = Math.max(0, joined.length - end.length);
      if (keep > 0) yield joined.subarray(0, keep);
      held = joined.subarray(keep);
    }
  }
  if (!Buffer.from(end).equals(held)) throw missing();
}
