/**
 * All rows of a table that was dropped and is made again: as COPY text, on their way from the source into the script, laid beside nothing. A few are looked at to be
 * shown, and all are counted on the way.
 */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { MendedTable } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { SourceRows } from "../../../platform/postgres/copied-rows.ts";
import { copyFields } from "../copy-fields.ts";
import type { LiveTable } from "./live-tables.ts";
import { type RowDifferences, shownSamples } from "./row-differences.ts";

export type MadeRows = Pick<RowDifferences, "live" | "shared" | "dropped" | "counts"> & {
  /** Of the shared columns, in their order. */
  readonly samples: readonly (readonly (string | null)[])[];
  /** In UTF-8, once. Ends without an error only if all rows were there. */
  readonly text: ByteStream;
  /** Ends the source, whether it was read or not. */
  readonly end: () => Promise<void>;
};

/** Rows of a source as the stage has them. */
export type StagedRows = RowDifferences | MadeRows;

const rowEnd = 0x0a;
/** Of rows that are larger fewer are shown. */
const mostSampleBytes = 1_048_576;

/** Of COPY text. */
export const rowsIn = (bytes: Uint8Array): number => {
  let rows = 0;
  // COPY writes a line break within a value as two other characters.
  for (let at = bytes.indexOf(rowEnd); at !== -1; at = bytes.indexOf(rowEnd, at + 1)) rows += 1;
  return rows;
};

export const countRows = async (text: ByteStream): Promise<number> => {
  let rows = 0;
  for await (const piece of text) rows += rowsIn(piece);
  return rows;
};

async function* both(begun: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): ByteStream {
  yield* begun;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** Of archives: what no encoding was said of is bytes as they are. */
const scriptEncodings: ReadonlySet<string> = new Set(["UTF8", "SQL_ASCII"]);

type Begun = Pick<MadeRows, "samples" | "text" | "end">;

/** The first rows, and all of them. */
const beginOf = async (text: ByteStream): Promise<Begun> => {
  const rest = text[Symbol.asyncIterator]();
  const begun: Uint8Array[] = [];
  let [rows, bytes] = [0, 0];
  while (rows < shownSamples && bytes < mostSampleBytes) {
    const next = await rest.next();
    if (next.done === true) break;
    begun.push(next.value);
    rows += rowsIn(next.value);
    bytes += next.value.length;
  }
  const lines = Buffer.concat(begun).toString("utf8").split("\n").slice(0, -1);
  return {
    samples: lines.slice(0, shownSamples).map(copyFields),
    text: both(begun, rest),
    end: async () => void (await rest.return?.()),
  };
};

async function* counted(text: ByteStream, label: string, expected: number): ByteStream {
  let rows = 0;
  for await (const piece of text) {
    rows += rowsIn(piece);
    yield piece;
  }
  if (rows === expected) return;
  throw new RefloatError("source.failed", `${label} had ${expected} rows when they were counted, and ${rows} came`, {
    state: "nothing was changed",
  });
}

/** @param live as it was made again, without its keys @param countAll asked where the source does not know how many there are */
export const madeRows = async (
  live: LiveTable,
  source: SourceRows,
  countAll: () => Promise<number>,
): Promise<MadeRows> => {
  const gone = source.count ?? (await countAll());
  if (!scriptEncodings.has(source.encoding))
    throw new RefloatError("bug", `rows in ${source.encoding} cannot be written into a script as they are`);
  const { samples, text, end } = await beginOf(source.text);
  const byName = new Map(live.columns.map((column) => [column.name, column]));
  const shared = source.columns.flatMap((name) => byName.get(name) ?? []);
  if (shared.length !== source.columns.length)
    throw new RefloatError("bug", `${live.label} was made again with other columns than its rows have`);
  return {
    live,
    shared,
    dropped: [],
    counts: { equal: 0, changed: 0, gone, newer: 0 },
    samples,
    text: counted(text, live.label, gone),
    end,
  };
};

export const describeMade = ({
  counts,
  shared,
  samples,
}: MadeRows): Pick<MendedTable, "puts" | "columns" | "samples" | "alike"> => ({
  puts: { changed: 0, gone: counts.gone },
  columns: [],
  alike: [],
  samples: samples.map((values) => ({
    kind: "gone",
    key: {},
    columns: shared.map(({ name }, index) => ({ name, point: values[index] ?? null, live: null })),
  })),
});
