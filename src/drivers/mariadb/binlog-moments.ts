/**
 * When the transactions of a binary log were committed. An event tells the second in which its statement began, and a statement may take an hour; looks
 * at the server tell what was written when. Both together: to the second where nobody looked, and nearer where somebody did.
 */
import type { LogMoments } from "../../core/logs/log-moments.ts";
import type { BinlogLook } from "./binlog-clock.ts";
import { placeBytes } from "./binlog-line.ts";

/** Transactions of one second, of which no look has said yet that they were written. */
type Pending = { readonly when: number; readonly floorMs: number; end: bigint };

export class BinlogMoments {
  readonly #moments: LogMoments;
  #pending: Pending[] = [];
  #seen: { readonly end: bigint; readonly beforeMs: number } | null = null;

  constructor(moments: LogMoments) {
    this.#moments = moments;
  }

  /** @param end behind the transaction @param when as its last event says */
  committed(end: bigint, when: number): void {
    // What the last look did not see was committed after it.
    const floorMs = this.#seen !== null && end > this.#seen.end ? this.#seen.beforeMs : 0;
    const last = this.#pending.at(-1);
    if (last?.when === when && last.floorMs === floorMs) last.end = end;
    else this.#pending.push({ when, floorMs, end });
  }

  get isWaiting(): boolean {
    return this.#pending.length > 0;
  }

  /** @param received behind what was received when it was looked */
  seen({ end: place, beforeMs, afterMs }: BinlogLook, received: bigint): void {
    const end = placeBytes(place);
    while (this.#pending[0] !== undefined && this.#pending[0].end <= end) {
      const { when, floorMs, end: committed } = this.#pending[0];
      // It was committed in this second or later, and before the look.
      this.#moments.add({ end: committed, atMs: Math.max(floorMs, Math.min(when * 1000 + 999, afterMs)) });
      this.#pending.shift();
    }
    if (received === end && !this.isWaiting) this.#moments.add({ end, atMs: beforeMs });
    this.#seen = { end, beforeMs };
  }
}
