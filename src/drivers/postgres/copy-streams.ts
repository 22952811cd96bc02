/** The form of rows in data files of an archive, and such files into tables. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { copyIn } from "../../platform/postgres/copy-in.ts";
import type { Session } from "../../platform/postgres/session.ts";
import { withoutEnd } from "../../platform/without-end.ts";

/** What pg_dump appends to the rows in each data file of a directory archive. */
export const archiveTrailer = Buffer.from("\\.\n\n\n");

/** Passes everything but the trailer on. @throws RefloatError vault.damaged when the stream does not end with it */
export const withoutTrailer = (source: ByteStream, path: string): ByteStream =>
  withoutEnd(
    source,
    archiveTrailer,
    () => new RefloatError("vault.damaged", `${path} does not end as a table's rows do; its end is missing`),
  );

/**
 * Feeds a data file of a directory archive to `sql` (a COPY ... FROM STDIN) and returns how many rows the server took. The caller
 * compares them before it commits.
 * @throws as `copyIn`; RefloatError vault.damaged
 */
export const copyDataIn = (
  session: Session,
  sql: string,
  source: ByteStream,
  options: { readonly path: string; readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
): Promise<number> => {
  const counted = async function* (): ByteStream {
    for await (const chunk of withoutTrailer(source, options.path)) {
      options.onBytes(chunk.length);
      yield chunk;
    }
  };
  return copyIn(session, sql, counted(), { signal: options.signal });
};
