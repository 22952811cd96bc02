/** One side of an invariant: the values of a query's only column, one per line, nulls left out. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { copyOut } from "../../platform/postgres/copy-out.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { openLocation } from "./retired-database.ts";

const newline = 0x0a;
const tab = 0x09;
const backslash = 0x5c;

const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", r: "\r", t: "\t", v: "\v", "\\": "\\" };

/** Undoes COPY's escapes; a newline inside a value stays `\n`, since it would end the line. */
export const decodeCopyLines = (text: string): string =>
  text.replaceAll(/^\\N\n/gm, "").replaceAll(/\\([bfrtv\\])/g, (whole, letter: string) => escapes[letter] ?? whole);

/** Passes whole lines on, decoded. A tab can only be the border of a second column. */
async function* decodeRows(rows: ByteStream, expression: string): ByteStream {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of rows) {
    const joined = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = joined.lastIndexOf(newline) + 1;
    const lines = joined.subarray(0, end);
    rest = joined.subarray(end);
    if (lines.includes(tab)) {
      throw new RefloatError("config.invalid", `the query of an invariant has more than one column: ${expression}`);
    }
    if (lines.length === 0) continue;
    yield lines.includes(backslash) ? Buffer.from(decodeCopyLines(Buffer.from(lines).toString("utf8"))) : lines;
  }
}

/** @throws RefloatError config.invalid for more than one column, source.* as the server says */
export async function* postgresInvariantValues(
  context: PostgresContext,
  expression: string,
  location: string | null,
): ByteStream {
  const session = await openLocation(context, location);
  try {
    await session.query("begin isolation level repeatable read read only; set local row_security = off");
    const source = copyOut(session, `copy (${expression.trim().replace(/;$/, "")}\n) to stdout`);
    yield* decodeRows(source.bytes, expression);
    await source.seal();
  } finally {
    await session.close();
  }
}
