/**
 * The form of rows in data files of an archive, and rows into tables as COPY text, streaming: an error of the source becomes CopyFail, so that
 * nothing of a broken stream is kept.
 */
import { pipeline } from "node:stream/promises";
import { from as copyFrom } from "pg-copy-streams";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Session } from "../../platform/postgres/session.ts";

/** What pg_dump appends to the rows in each data file of a directory archive. */
export const archiveTrailer = Buffer.from("\\.\n\n\n");

/** Passes everything but the trailer on. @throws RefloatError vault.damaged when the stream does not end with it */
export async function* withoutTrailer(source: ByteStream, path: string): ByteStream {
  let held: Uint8Array = new Uint8Array();
  for await (const chunk of source) {
    if (chunk.length >= archiveTrailer.length) {
      if (held.length > 0) yield held;
      const keep = chunk.length - archiveTrailer.length;
      if (keep > 0) yield chunk.subarray(0, keep);
      // A copy: the chunk may be gone when the next one is here.
      held = Buffer.from(chunk.subarray(keep));
    } else {
      const joined = Buffer.concat([held, chunk]);
      const keep = Math.max(0, joined.length - archiveTrailer.length);
      if (keep > 0) yield joined.subarray(0, keep);
      held = joined.subarray(keep);
    }
  }
  if (!archiveTrailer.equals(held)) {
    throw new RefloatError("vault.damaged", `${path} does not end as a table's rows do; its end is missing`);
  }
}

/**
 * Feeds a data file of a directory archive to `sql` (a COPY ... FROM STDIN) and returns how many rows the server took. The caller
 * compares them before it commits. Asks for the next chunk when the socket has taken the last one: `source` may be transient.
 * @throws whatever the source throws (the server then keeps no row); RefloatError as session.translate says
 */
export const copyIn = async (
  session: Session,
  sql: string,
  source: ByteStream,
  options: { readonly path: string; readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
): Promise<number> => {
  // Every write waits for the socket, however little it is.
  const stream = session.submit(copyFrom(sql, { highWaterMark: 1 }));
  let sourceError: { readonly thrown: unknown } | undefined;
  async function* counted(): ByteStream {
    try {
      for await (const chunk of withoutTrailer(source, options.path)) {
        options.onBytes(chunk.length);
        yield chunk;
      }
    } catch (error) {
      sourceError = { thrown: error };
      throw error;
    }
  }
  try {
    // No Readable between the two: it would ask for chunks ahead.
    await pipeline(counted(), stream, { signal: options.signal });
  } catch (error) {
    options.signal.throwIfAborted();
    if (sourceError !== undefined) throw sourceError.thrown;
    throw session.translate(error);
  }
  return stream.rowCount;
};
