/** Where rows come from that are put back, table by table, as COPY text: what a driver brings. */
import type { ByteStream } from "../../core/ports/bytes.ts";

export type SourceRows = {
  readonly columns: readonly string[];
  readonly encoding: string;
  readonly text: ByteStream;
  /** The type of a column as the source has it: null where that cannot be told. @param type that of the live column */
  readonly otherType: (column: string, type: string) => string | null;
};

export type DroppedTable = {
  readonly label: string;
  /** For SQL: `public.orders`. */
  readonly qualified: string;
  /** Statements before the rows, and after them. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** For people: what was lost with it and does not come back by itself. */
  readonly lost: readonly string[];
};

export type RowSource = {
  readonly words: string;
  /** Does it have every row of a table, or only some? */
  readonly whole: boolean;
  /** Tables that have rows, as facts name them; null where only asking tells. */
  readonly labels: readonly string[] | null;
  /** Ends without an error only if all rows were there. Null for a table that it does not have. */
  readonly open: (label: string) => Promise<SourceRows | null>;
  /** What makes a table again that is not there any more; null where the source does not say. */
  readonly define: (label: string) => Promise<DroppedTable | null>;
};
