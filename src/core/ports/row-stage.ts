/**
 * One live database in which rows of a source are laid beside the live ones, for the length of a comparison. What differs between two technologies when rows
 * are put back is behind this; in which order it is asked, and what follows from the answers, is decided by core/mend. Everything that a stage makes is
 * temporary and seen by nobody else.
 */
import type { ByteStream } from "./bytes.ts";
import type { MendDirection, MendedRows, MendedTable } from "../../model/mend.ts";

export type StageForeignKey = {
  readonly name: string;
  readonly columns: readonly string[];
  /** Its label. */
  readonly parent: string;
  /** False for what has no rows of its own to be put back, such as a table that is its partitions. */
  readonly parentHasRows: boolean;
};

/** A unique index over columns alone, other than the key that rows are known by. */
export type StageUnique = { readonly name: string; readonly columns: readonly string[] };

export type StageTrigger = {
  readonly name: string;
  /** `insert`, `update`, `delete`. */
  readonly events: readonly string[];
  /** `before`, `after`, `instead of`. */
  readonly when: string;
};

/** A table that is live, as rows are put back into it. */
export type StageTable = {
  /** For people, as in facts. */
  readonly label: string;
  readonly key: readonly string[];
  readonly foreignKeys: readonly StageForeignKey[];
  readonly uniques: readonly StageUnique[];
  readonly triggers: readonly StageTrigger[];
  /** Why nothing can be put back into it all or nothing, though it can be compared: "it is MyISAM, which has no transactions". Null when it can. */
  readonly refusal: string | null;
  /** What a person can do about it, after which it can be compared again: `as an administrator: GRANT TRIGGER ON ...`. */
  readonly remedy?: string;
};

/** Rows of the source beside those of a live table, compared. */
export type StageRows<Table extends StageTable = StageTable> = {
  readonly live: Table;
  /** On both sides, and not worked out by the server. */
  readonly shared: readonly { readonly name: string }[];
  /** Columns that only the source has. */
  readonly dropped: readonly string[];
  readonly counts: Pick<MendedTable, "equal" | "changed" | "gone" | "newer">;
};

export type RowWish = {
  readonly rows: readonly MendedRows[];
  readonly columns: readonly string[] | null;
  readonly where: string | null;
};

/** Rows as CSV with a header. */
export type RowsAsCsv = {
  readonly csv: ByteStream;
  /** Once all of it was read. */
  readonly count: () => number;
};

/** Rows that were taken out of what is put back, and a few of their keys, as they are told: `id 6`. */
export type SetAside = { readonly rows: number; readonly keys: readonly string[] };

/** Text; bytes where it is rows as they lie in the source, in UTF-8. */
export type ScriptPiece = string | Uint8Array;

export type StageScript<Rows> = {
  readonly direction: MendDirection;
  /** In the order in which rows may come. */
  readonly tables: readonly Rows[];
  readonly fireTriggers: boolean;
  /** What it is, for whoever opens the file in a year. */
  readonly words: readonly string[];
};

export type RowStage<Table extends StageTable = StageTable, Rows extends StageRows<Table> = StageRows<Table>> = {
  readonly source: {
    readonly words: string;
    /** Tables that it has rows of, as facts name them; null where only asking tells. */
    readonly labels: readonly string[] | null;
  };
  /** Can a table's own triggers be kept from firing for the length of a transaction? */
  readonly quietsTriggers: boolean;
  /** Tables that are live, those that were made again included. */
  readonly tables: () => Promise<ReadonlyMap<string, Table>>;
  /**
   * Makes a table that was dropped again, for the stage alone. Null where the source does not define it; else what others lost with it and does not come back.
   * @throws RefloatError source.unsupported
   */
  readonly makeDropped: (label: string) => Promise<{ readonly lost: readonly string[] } | null>;
  /** For a person: how a table that was dropped comes back, where `makeDropped` does not make it. */
  readonly remakeHint: (label: string) => string;
  /** Once all names are known. */
  readonly prepare: () => Promise<void>;
  /** Null for a table that the source has no rows of. @throws RefloatError source.unsupported, with the reason; source.failed for a condition that the server refuses */
  readonly compare: (table: Table, wish: RowWish) => Promise<Rows | null>;
  /**
   * Rows of the source that the live side does not have, of a table that cannot be compared row by row: as a multiset where there is no key; where changed ones are
   * wanted, too, those that it does not have as they are. Null where that cannot be told. Asked only of a side that is kept.
   * @throws RefloatError source.unsupported for more than can be looked at
   */
  readonly rowsLeft: (label: string, wanted: RowWish["rows"]) => Promise<RowsAsCsv | null>;
  /** Undoes what `act` did to the stage when it fails, so that the next one can be tried. */
  readonly attempt: <Result>(act: () => Promise<Result>) => Promise<Result>;
  /** Wanted rows whose reference leads to nothing that is live. */
  readonly countDangling: (rows: Rows, key: Table["foreignKeys"][number]) => Promise<number>;
  /** Wants the gone rows of the parent that wanted rows refer to. @returns how many were not wanted before */
  readonly wantParents: (rows: Rows, key: Table["foreignKeys"][number], parent: Rows) => Promise<number>;
  /** Takes out rows of which another live row has the unique value. Left undone where a column of it is not shared. */
  readonly setTakenAside: (rows: Rows, unique: Table["uniques"][number]) => Promise<SetAside>;
  /** Takes out rows whose parent is neither live nor about to come back. */
  readonly setOrphansAside: (rows: Rows, key: Table["foreignKeys"][number], parent: Rows | null) => Promise<SetAside>;
  /** Takes out all rows of a table. */
  readonly setAllAside: (rows: Rows) => Promise<void>;
  /** What would be put back, in numbers and by a few examples. */
  readonly describe: (rows: Rows) => Promise<Pick<MendedTable, "puts" | "columns" | "samples" | "alike">>;
  /** Pieces of the script, in order. Asked for when nothing else is asked of the stage any more. */
  readonly script: (script: StageScript<Rows>) => AsyncIterable<ScriptPiece>;
};
