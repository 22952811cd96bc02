/**
 * Asks the server where its log ends, while it is received, and ends pieces of it: only where the time of every commit in them is known. A commit whose
 * time came after its piece would be a moment of no piece.
 */
import type { PieceWriter } from "../../core/logs/piece-writer.ts";
import type { BinlogClock } from "./binlog-clock.ts";
import { type BinlogPlace, placeBytes } from "./binlog-line.ts";
import { BinlogMoments } from "./binlog-moments.ts";

export type LookedBetween = {
  /** Behind what was received before it was asked. */
  readonly received: bigint;
  /** That was all that the server had. */
  readonly isCaughtUp: boolean;
};

export class BinlogLooks {
  readonly #clock: Pick<BinlogClock, "look">;
  readonly #writer: PieceWriter;
  readonly #moments: BinlogMoments;
  #end: BinlogPlace | null = null;
  #between: Promise<unknown> | null = null;

  constructor(clock: Pick<BinlogClock, "look">, writer: PieceWriter) {
    this.#clock = clock;
    this.#writer = writer;
    this.#moments = new BinlogMoments(writer.moments);
  }

  /** Where the server's log ended when it was last asked. */
  get end(): BinlogPlace | null {
    return this.#end;
  }

  /** @param end behind the transaction @param when as its last event says */
  committed(end: bigint, when: number): void {
    this.#moments.committed(end, when);
  }

  /** Nothing may be received until it resolves: the time of all that was is then known. */
  async look(): Promise<void> {
    await this.#between;
    await this.#ask();
  }

  /** Ends a piece. Nothing may be received until it resolves. */
  async cut(): Promise<void> {
    if (this.#moments.isWaiting) await this.look();
    await this.#writer.cut();
  }

  /** While more may be received. @returns null while another one is under way */
  async lookBetween(): Promise<LookedBetween | null> {
    if (this.#between !== null) return null;
    const asking = this.#lookAndCut();
    this.#between = asking.then(
      () => (this.#between = null),
      () => (this.#between = null),
    );
    return asking;
  }

  async #lookAndCut(): Promise<LookedBetween> {
    const asked = await this.#ask();
    // What was committed meanwhile waits for the next look. While a piece is being stored more may come before the next one ends.
    if (!this.#moments.isWaiting && !this.#writer.isStoring && this.#writer.isDue(asked.isCaughtUp))
      await this.#writer.cut();
    return asked;
  }

  async #ask(): Promise<LookedBetween> {
    const { received } = this.#writer;
    const look = await this.#clock.look();
    this.#end = look.end;
    this.#writer.sourceMs = look.afterMs;
    this.#moments.seen(look, received);
    return { received, isCaughtUp: placeBytes(look.end) === received };
  }
}
