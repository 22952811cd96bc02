/** Bytes as base64 in pieces, however they come. */
import type { ByteStream } from "../core/ports/bytes.ts";

/** Divisible by three, so that no piece but the last ends in padding. */
const pieceBytes = 196_608;

/** One behind the other they are the base64 of all. */
export async function* base64Pieces(stream: ByteStream): AsyncGenerator<string> {
  let left: Buffer = Buffer.alloc(0);
  for await (const bytes of stream) {
    left = left.length === 0 ? Buffer.from(bytes) : Buffer.concat([left, bytes]);
    for (; left.length >= pieceBytes; left = left.subarray(pieceBytes))
      yield left.subarray(0, pieceBytes).toString("base64");
  }
  if (left.length > 0) yield left.toString("base64");
}
