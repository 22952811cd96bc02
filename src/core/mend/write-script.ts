/**
 * The script that puts rows back, and the one that takes that back: plain SQL for a person to read and for a stock client or us to run. Each statement names
 * the rows as they were compared; if one of them is no longer so, the script ends with an error and nothing of it is done. In which order its parts come is
 * decided here; how they are said in a dialect is not.
 */
import type { MendDirection, MendedRows } from "../../model/mend.ts";
import type { ScriptPiece, StageRows, StageScript } from "../ports/row-stage.ts";

/** A row that is put back. Values as text, null for null. */
export type ScriptRow = {
  /** Names that differ and may be put back. */
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** Of the shared columns, in their order. */
  readonly point: readonly (string | null)[];
  readonly live: readonly (string | null)[];
};

export type ScriptParts<Rows> = {
  /** A line that is no statement, whatever a name holds. */
  readonly comment: (text: string) => string;
  readonly begin: string;
  readonly end: string;
  /** What was put off until now. */
  readonly check: string;
  /** Rows that are wanted, a bounded number at a time, in an order in which they can come or, to take them back, go; those that differ in the same columns one after another. */
  readonly wanted: (rows: Rows, kind: MendedRows, direction: MendDirection) => AsyncIterable<readonly ScriptRow[]>;
  /** All of the batch differ in the same columns. */
  readonly update: (rows: Rows, batch: readonly ScriptRow[], direction: MendDirection) => string;
  readonly insert: (rows: Rows, batch: readonly ScriptRow[]) => string;
  readonly remove: (rows: Rows, batch: readonly ScriptRow[]) => string;
  /** Keeps the table's own triggers from firing, or lets them fire again. */
  readonly triggers: (rows: Rows, fire: boolean) => string;
  /** Numbers that come back must not be given out again. */
  readonly numbers: (rows: Rows) => AsyncIterable<string>;
  /**
   * Of tables that were dropped: what makes them, all of their rows, what belongs to them once they have those, what drops them again. Null where
   * none is ever made again.
   */
  readonly made: {
    readonly labels: ReadonlySet<string>;
    readonly before: string;
    readonly rows: (rows: Rows) => AsyncIterable<ScriptPiece>;
    readonly after: string;
    readonly drop: (tables: readonly Rows[]) => string;
  } | null;
};

async function* changedStatements<Rows>(parts: ScriptParts<Rows>, rows: Rows, direction: MendDirection) {
  for await (const batch of parts.wanted(rows, "changed", direction)) {
    let begun: ScriptRow[] = [];
    for (const row of batch) {
      if (begun[0] !== undefined && begun[0].columns.join("\n") !== row.columns.join("\n")) {
        yield parts.update(rows, begun, direction);
        begun = [];
      }
      begun.push(row);
    }
    yield parts.update(rows, begun, direction);
  }
}

async function* goneStatements<Rows>(parts: ScriptParts<Rows>, rows: Rows, direction: MendDirection) {
  for await (const batch of parts.wanted(rows, "gone", direction))
    yield direction === "mend" ? parts.insert(rows, batch) : parts.remove(rows, batch);
}

/** Pieces of the script, in order. */
export async function* writeScript<Rows extends StageRows>(
  parts: ScriptParts<Rows>,
  { direction, fireTriggers, words, tables: inOrder }: StageScript<Rows>,
): AsyncGenerator<ScriptPiece> {
  const { made } = parts;
  const isMade = ({ live }: Rows): boolean => made?.labels.has(live.label) === true;
  const tables = direction === "mend" ? inOrder : inOrder.toReversed();
  const compared = tables.filter((rows) => !isMade(rows));
  for (const line of words) yield parts.comment(line);
  yield parts.begin;
  if (!fireTriggers) for (const rows of tables) yield parts.triggers(rows, false);
  if (direction === "mend") {
    yield made?.before ?? "";
    for (const rows of tables)
      yield* made !== null && isMade(rows) ? made.rows(rows) : goneStatements(parts, rows, direction);
    for (const rows of compared) yield* changedStatements(parts, rows, direction);
    // A table that is made again brings its sequences with it.
    for (const rows of compared) yield* parts.numbers(rows);
  } else {
    for (const rows of compared) yield* changedStatements(parts, rows, direction);
    for (const rows of compared) yield* goneStatements(parts, rows, direction);
    yield made?.drop(tables.filter(isMade)) ?? "";
  }
  yield parts.check;
  if (!fireTriggers) for (const rows of tables) yield parts.triggers(rows, true);
  if (direction === "mend") yield made?.after ?? "";
  yield parts.end;
}
