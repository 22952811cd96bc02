/** What a driver says of a component that has a log: received without end, marked, searched for a place, gone on by. */
import type { LogSpan } from "../../model/log-span.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { DriverContext } from "./driver.ts";
import type { LogReader, LogStore } from "./vault-logs.ts";

/** What a receiver of a log says of itself as it goes on. */
export type LogEvent =
  /** So far the vault has it. `lagMs`: how long before the source's last word that was; `behindBytes`: how much the source has beyond it. */
  | {
      readonly type: "durable";
      readonly position: string;
      readonly at: string;
      readonly lagMs: number;
      readonly behindBytes: number;
    }
  /** It goes on by itself once the source or the vault answers again. */
  | { readonly type: "waiting"; readonly for: "source" | "vault"; readonly reason: string }
  /** What the source no longer has and the vault never got. `from` is null where the vault has nothing before it. */
  | { readonly type: "gap"; readonly from: LogSpan | null; readonly reason: string; readonly nextCommand: string }
  | { readonly type: "warning"; readonly message: string; readonly hint: string };

export type LogReceiving = {
  /** What the vault has of this component. */
  readonly held: readonly LogSpan[];
  /** How a line that the vault has came from others; null when nothing was said of that. */
  readonly history: LogReader["history"];
  /** What the vault has of a line. */
  readonly read: LogReader["read"];
  /** Resolves once the piece is durable, however long that takes; throws only when it is to end. */
  readonly append: LogStore["append"];
  /** The longest time that what the source has written is kept back to be joined with what follows. */
  readonly everyMs: number;
  readonly report: (event: LogEvent) => void;
};

/** A marker that was written into a component's log. */
export type LogMarker = {
  readonly line: string;
  /** Where its record ends: going on by the log up to here ends with the marker, and with nothing behind it. */
  readonly position: string;
  /** By the source's clock, ISO. */
  readonly at: string;
  /** `restore-point`: what the technology has for the purpose. `transaction`: one that does nothing else. */
  readonly by: "restore-point" | "transaction";
  /** Where its record begins, and what its people call it (`0-1-42`): for a log in which the same position may come again with something else. */
  readonly from?: string | undefined;
  readonly id?: string | undefined;
};

/** Why a source has no place for a marker that could be gone on to. */
export type Unmarked = { readonly unmarked: string };

export type LogStart = {
  readonly line: string;
  readonly from: string;
  /** Where that which tells how to read the log lies, when it lies before `from`: it is kept as long. */
  readonly head?: string;
};

/**
 * A word by which people of a technology name a place in its log, `xid` of `--at "xid 1234"`. What `read` makes of the text behind it: `position`, the place
 * itself; `sought`, in the words of `find`, what must be looked for, and `missing` for an error where it is not there: "no end of transaction 1234"; `unfit`,
 * why it is nothing of the kind.
 */
export type LogTargetWord = {
  /** Lower case, of one word or more. */
  readonly word: string;
  /** As it is typed: `xid 1234`. */
  readonly example: string;
  readonly read: (
    value: string,
  ) =>
    | { readonly position: string }
    | { readonly sought: string; readonly missing: string }
    | { readonly unfit: string };
};

export type LogTargetSearch = {
  readonly word: string;
  readonly sought: string;
  /** Where it is looked for. */
  readonly span: LogSpan;
  readonly read: LogReader["read"];
  readonly signal: AbortSignal;
};

/** Going on by the log up to `before` ends without it, up to `after` with it, and both with nothing that came later. */
export type LogTargetFound = {
  readonly before: string;
  readonly after: string;
  /** By the clock of the source, ISO; left out where the log does not tell it better than its index. */
  readonly at?: string;
  /** Why nothing of it is in the data: "transaction 1234 was rolled back". */
  readonly voidBecause?: string;
};

export type LogTargets = {
  readonly words: readonly LogTargetWord[];
  /** The newest in the span, by reading what is stored, in bounded memory; null where it is not there. @throws RefloatError vault.* */
  readonly find: (search: LogTargetSearch) => Promise<LogTargetFound | null>;
};

/** What the log tells of one transaction, or of what stands alone in it, for whoever looks for the one that did the harm. */
export type LogChange = {
  /** By the clock of the source, ISO. */
  readonly at: string;
  /** As `--at` names it: `xid 1234`. */
  readonly target: string;
  /** In words: `18,204 rows updated`. */
  readonly what: string;
  /** What it touched, most first: names, or what `names` makes names of. */
  readonly subjects: readonly string[];
  /** How much it changed, in a unit of the driver's; 0 for what changed no data. */
  readonly weight: number;
  /** It is of structure, or a person named it: told however little it changed. */
  readonly isNotable: boolean;
};

export type LogChangesRequest = {
  readonly span: LogSpan;
  /** Within the span: what begins before it is not told. */
  readonly from: string;
  readonly read: LogReader["read"];
  readonly signal: AbortSignal;
};

export type LogChanges<Options = unknown> = {
  /** Those that are notable, or large, in their order, by reading what is stored, in bounded memory. @throws RefloatError vault.* */
  readonly read: (context: DriverContext<Options>, request: LogChangesRequest) => AsyncIterable<LogChange>;
  /** What people call the subjects, as far as the source knows them now. Left out where subjects are names. */
  readonly names?: (
    context: DriverContext<Options>,
    subjects: readonly string[],
  ) => Promise<ReadonlyMap<string, string>>;
};

/** The log that the source writes of all its changes, by which a point can be rolled forward. */
export type LogOperations<Options = unknown> = {
  /**
   * The first position that going on from a captured point reads, and the line it lies in; null for a point that cannot be rolled forward.
   * @param lines of the component that the vault has, for a driver that tells by them which one the point is of
   */
  readonly startOf: (captured: CapturedComponent, lines: readonly string[]) => LogStart | null;
  /** A position as the source itself names it: `binlog.000007:4628`. Left out where that is the position. */
  readonly placeOf?: (line: string, position: string) => string;
  /** Places in it that have names besides times. */
  readonly targets?: LogTargets;
  readonly changes?: LogChanges<Options>;
  /**
   * Receives until aborted, then flushes and returns. Appends whole pieces in order, and lets the source forget only what is durable. Connections
   * that are lost are made anew; what the source no longer has is reported as a gap.
   * @throws RefloatError source.denied, source.unsupported: what waiting does not mend
   */
  readonly receive: (context: DriverContext<Options>, request: LogReceiving) => Promise<void>;
  /**
   * Writes a marker into the log of the source; durable there when it resolves. Must not wait for what a held service keeps back. Not idempotent: each call
   * writes one. Left out where a log has no place for one.
   * @param request `name`: at most 63 bytes of plain text; `lines` of the component that the vault has
   * @throws RefloatError source.*
   */
  readonly mark?: (
    context: DriverContext<Options>,
    request: { readonly name: string; readonly lines: readonly string[] },
  ) => Promise<LogMarker | Unmarked>;
  /**
   * Is what the vault has at a marker's place the marker? Asked before anything is planned that goes on to it, of a place that the vault holds. Left out
   * where a position of a line is never given anew. @throws RefloatError vault.*
   */
  readonly holdsMarker?: (
    marker: Pick<LogMarker, "line" | "from" | "position" | "id">,
    read: LogReader["read"],
  ) => Promise<boolean>;
};
