/** Where rows come from that are put back into a PostgreSQL database, table by table, as COPY text; and what is done with them, for whichever driver has such rows. */
import type { Proposing } from "../../core/mend/propose-rows.ts";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { MendRequest } from "../../core/ports/row-mending.ts";
import type { MendDirection, MendedTable, MendProposal } from "../../model/mend.ts";
import type { Session } from "./session.ts";

export type SourceRows = {
  readonly columns: readonly string[];
  readonly encoding: string;
  /** How many, where that is known before they are read. */
  readonly count: number | null;
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

/** A table as both sides name it. */
export type TableName = {
  readonly label: string;
  readonly schema: string;
  readonly name: string;
  /** It has no rows of its own: they lie in its partitions. */
  readonly isPartitioned: boolean;
};

/** Each act on a session but `names` closes it. */
export type CopiedRowMending = {
  readonly names: (session: Session) => Promise<readonly TableName[]>;
  /** What makes a table again, out of an archive in pg_dump's custom format and UTF-8, of which no more is read than that takes. Null where it does not define the table. */
  readonly define: (archive: ByteStream, table: TableName) => Promise<DroppedTable | null>;
  readonly compare: (session: Session, source: RowSource, label: string) => Promise<MendedTable>;
  readonly propose: (
    session: Session,
    source: RowSource,
    request: MendRequest,
    proposing: Proposing,
  ) => Promise<MendProposal>;
  /** @throws RefloatError rows.changed, source.denied, target.failed */
  readonly apply: (session: Session, script: ByteStream, direction: MendDirection) => Promise<void>;
};
