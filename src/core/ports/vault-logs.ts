/**
 * Logs of components in the vault: what their source wrote between points, in pieces that are only ever added. One process at a time adds to
 * the log of a component.
 */
import type { SnapshotId } from "../../model/identifiers.ts";
import type { LogMoment, LogSpan } from "../../model/log-span.ts";
import type { ByteStream } from "./bytes.ts";

/** One piece as it lies in the vault. */
export type StoredLogPiece = LogSpan & {
  readonly id: SnapshotId;
  /** How many bytes it has: fewer than there are positions where a file of the log ends in it, and the next one begins at `to`. */
  readonly bytes: number;
  /** How often pieces were joined to make it; 0 as it was appended. */
  readonly joined: number;
  /** When it was written, ISO, by the clock of whoever wrote it. */
  readonly storedAt: string;
};

export type LogPiece = LogSpan & {
  /** Ascending; the first at `fromAt` or later, the last at `toAt`. */
  readonly moments: readonly LogMoment[];
  /** How this line came from others, as the source tells it: the timeline history file of PostgreSQL. */
  readonly history?: string;
};

export type LogPosition = { readonly span: LogSpan; readonly position: string; readonly at: string };

export type LogName = { readonly service: string; readonly component: string };

export type LogStore = {
  /** What is held, pieces joined where they meet; oldest first. */
  readonly spans: (service?: string) => Promise<readonly LogSpan[]>;
  /** What the spans lie in, in the order of their places. */
  readonly pieces: (service?: string) => Promise<readonly StoredLogPiece[]>;
  /**
   * Durable when it resolves. What is held already is not written again, so that the same piece may come twice. A piece without bytes says that
   * nothing was written up to `toAt`. One that ends where the first number of a position begins anew (`8/0`) may have fewer bytes than positions: a
   * file of the log ended, and the rest of its numbers stays unused.
   * @throws RefloatError log.diverged where the line is held with another history, vault.*
   */
  readonly append: (piece: LogPiece, content: Uint8Array) => Promise<void>;
  /** The last known position at or before an instant (ISO), on any line when none is named; null when no span of the component covers it. */
  readonly positionAt: (
    request: LogName & { readonly line?: string; readonly at: string },
  ) => Promise<LogPosition | null>;
  /** The last known moment at which a line had not gone beyond a position; null when no span of the line holds the position. */
  readonly momentAt: (
    request: LogName & { readonly line: string; readonly position: string },
  ) => Promise<LogPosition | null>;
  /** What the component's log says of itself, to be read by a driver. */
  readonly reader: (name: LogName) => Promise<LogReader>;
  /**
   * Joins many small pieces into few, then forgets the small ones. What was joined is locked as the service declares; small pieces are not.
   * Killed at any moment it leaves pieces twice, and never a gap.
   * @returns how many pieces were forgotten
   */
  readonly compact: (name: LogName, signal: AbortSignal) => Promise<number>;
};

/** Given to a driver that restores to a moment. */
export type LogReader = {
  /** Oldest first. */
  readonly spans: readonly LogSpan[];
  /**
   * The bytes of `[from, to)` of one line, every one verified. With `transient` as `SnapshotReader.stream`.
   * @throws RefloatError log.gap where the vault does not hold all of it, vault.damaged
   */
  readonly read: (line: string, from: string, to: string, options?: { readonly transient: boolean }) => ByteStream;
  /** How the line came from others; null when its source said nothing of that. */
  readonly history: (line: string) => Promise<string | null>;
};
