/** Rows out of a table as COPY sends them, streaming. Ends by a seal that waits for the server's own count. */
import { to as copyTo } from "pg-copy-streams";
import type { ByteStream, SealedStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Session } from "./session.ts";

const readBufferBytes = 256 * 1024;

/**
 * The rows that `sql` (a COPY ... TO STDOUT) yields, followed by `trailer`. The session serves nothing else until the seal.
 * The seal resolves only after the server said that the command was complete.
 */
export const copyOut = (session: Session, sql: string, trailer: Uint8Array = new Uint8Array()): SealedStream => {
  let rows: number | undefined;
  async function* bytes(): ByteStream {
    const stream = session.submit(copyTo(sql, { highWaterMark: readBufferBytes }));
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) yield chunk;
      // The stream ends at CopyDone; an answer to a later query proves that the command ended, and ended well.
      await session.query("select 1");
    } catch (error) {
      throw session.translate(error);
    }
    rows = stream.rowCount;
    if (trailer.length > 0) yield trailer;
  }
  return {
    bytes: bytes(),
    seal: async () => {
      if (rows === undefined) {
        throw new RefloatError(
          "source.failed",
          "the server's stream of rows ended before the server said that it was complete",
        );
      }
      return { rows };
    },
  };
};
