/**
 * Putting rows of a point back into what is live: compared by key, written as a script that can be reviewed, done in one transaction that
 * does nothing at all if a row is no longer as it was when it was compared.
 */
import type { Position } from "../../model/facts.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { MendDirection, MendedRows, MendedTable, MendProposal } from "../../model/mend.ts";
import type { CapturedTable, DriverContext, Replay } from "./driver.ts";
import type { PartComparing } from "./part-comparing.ts";
import type { TreeReader } from "./vault-snapshots.ts";

export type MendRequest = {
  /**
   * Names of what was asked for, as facts have them, or as an excerpt is named (`bench/orders`; of a kept side a database, too); null for every table that has rows to put back. Others come along where rows that are put back
   * refer to rows that are gone as well.
   */
  readonly tables: readonly string[] | null;
  readonly rows: readonly MendedRows[];
  /** Columns of changed rows that are put back; null for all that differ. */
  readonly columns: readonly string[] | null;
  /** A condition on rows as the point has them, in the database's own language; null for all. */
  readonly where: string | null;
  /** False: the script keeps the tables' own triggers from firing. */
  readonly fireTriggers: boolean;
  /** The command that compares the same anew, for whoever is told to; left out where there is none. */
  readonly again?: string;
};

/** Rows of a point. */
export type PointSource = {
  readonly tree: TreeReader;
  readonly captured: CapturedComponent;
  /** Everything that the point has; empty where only a server of the point can tell. */
  readonly tables: readonly CapturedTable[];
  /** As of a moment after the point, for a component whose single things are read by a server that goes on by the log; null for the point itself. */
  readonly replay: Replay | null;
  /** For people: `point 5d0c88e1 (2026-11-26T14:00:04.112Z)`. */
  readonly words: string;
};

/** Rows that were written after a position to a side that was switched out and is kept. */
export type KeptSideSource = {
  /** Its name, as in Exchange. */
  readonly side: string;
  readonly since: Position;
  /** Where it stood before its users reached it, if it was restored itself, and from an older point than that of `since`: what it had then did not come after that. Else null. */
  readonly madeAt: Position | null;
  /** What it had before, for a technology whose rows do not tell when they were written: the point that the recovery went back to, or that of `madeAt`. @throws RefloatError point.*, vault.* */
  readonly point: () => Promise<PointSource>;
  readonly words: string;
  /** A folder for rows that cannot be put back, one CSV file for each table; made when there are any. */
  readonly leftTo: string;
};

export type MendSource = PointSource | KeptSideSource;

export type RowMending<Options = unknown> = {
  /** What is put back comes out of points, and never from a side that was switched out. */
  readonly ofPointsAlone?: true;
  /** Can a table that was dropped be made again, with all of its rows? */
  readonly makesDropped: boolean;
  /**
   * Where one transaction is not of the whole component: names that are proposed together, of what was asked for, or (null) of all that was written to the side.
   * @throws RefloatError source.unsupported with the reason why that cannot be told; usage
   */
  readonly batches?: (
    context: DriverContext<Options>,
    source: KeptSideSource,
    names: readonly string[] | null,
  ) => Promise<{
    readonly batches: readonly (readonly string[])[];
    /** Why something of the side is in none of them, for people. */
    readonly left: readonly string[];
  }>;
  /** Counts what differs in one table, changes nothing, writes nothing. @throws as `propose` */
  readonly compare: (context: DriverContext<Options>, source: PointSource, table: string) => Promise<MendedTable>;
  /** Where what is live is compared part by part, and never as a whole. */
  readonly parts?: PartComparing<Options>;
  /**
   * Compares, and keeps script and reverse under the digest of the script. Changes nothing of the source but temporary tables of its own.
   * @throws RefloatError source.unsupported for a table that cannot be compared, with the reason; usage; source.*
   */
  readonly propose: (
    context: DriverContext<Options>,
    source: MendSource,
    request: MendRequest,
  ) => Promise<MendProposal>;
  /** What was proposed under this digest, or its first characters; null if nothing was. @throws RefloatError usage when several fit */
  readonly read: (context: DriverContext<Options>, digest: string) => Promise<MendProposal | null>;
  /**
   * Runs what was proposed, or its reverse: all of it or nothing.
   * @throws RefloatError rows.changed when a row is not as it was compared, source.denied, target.failed
   */
  readonly apply: (context: DriverContext<Options>, proposal: MendProposal, direction: MendDirection) => Promise<void>;
};
