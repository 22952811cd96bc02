/** Rows into a table as COPY takes them, streaming: an error of the source becomes CopyFail, so that nothing of a broken stream is kept. */
import { pipeline } from "node:stream/promises";
import { from as copyFrom } from "pg-copy-streams";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { Session } from "./session.ts";

export type CopyInOptions = {
  readonly signal?: AbortSignal;
  /** What to throw for an error of the server; what it is to everybody when left out. */
  readonly explain?: (error: Error) => Error;
};

/**
 * Feeds rows to `sql` (a COPY ... FROM STDIN). Asks for the next chunk when the socket has taken the last one: `rows` may be transient.
 * @returns how many the server took
 * @throws whatever the source throws (the server then keeps no row); RefloatError as session.translate says
 */
export const copyIn = async (
  session: Session,
  sql: string,
  rows: ByteStream,
  { signal, explain = (error) => error }: CopyInOptions = {},
): Promise<number> => {
  // Every write waits for the socket, however little it is.
  const stream = session.submit(copyFrom(sql, { highWaterMark: 1 }));
  let sourceError: { readonly thrown: unknown } | undefined;
  const source = async function* (): ByteStream {
    try {
      yield* rows;
    } catch (thrown) {
      sourceError = { thrown };
      throw thrown;
    }
  };
  try {
    // No Readable between the two: it would ask for chunks ahead.
    await pipeline(source(), stream, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    if (sourceError !== undefined) throw sourceError.thrown;
    throw explain(session.translate(error));
  }
  return stream.rowCount;
};
