/** How reading packs goes: whether another one may be begun, how much was read, and what all of them would take at this rate. */
import type { Clock } from "../../../core/ports/environment.ts";
import type { VerifyReading } from "../../../core/ports/vault-verification.ts";
import type { PackFacts } from "./pack-choice.ts";

export class ReadingPace {
  readonly #clock: Clock;
  readonly #endMs: number;
  #begun = 0;
  #packsRead = 0;
  #bytesRead = 0;
  #firstMs = 0;
  #lastMs = 0;

  /** @param limitMs counts from now; undefined for no limit */
  constructor(clock: Clock, limitMs: number | undefined) {
    this.#clock = clock;
    this.#endMs = limitMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + limitMs;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Never before the first pack was begun: however short the time, all come in turn. */
  get isOver(): boolean {
    return this.#begun > 0 && this.#clock.monotonicMs() >= this.#endMs;
  }

  /** @returns false once the time is up; else a pack counts as begun */
  mayBegin(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.#begun > 0 && nowMs >= this.#endMs) return false;
    if (this.#begun === 0) this.#firstMs = nowMs;
    this.#begun += 1;
    return true;
  }

  add(bytes: number): void {
    this.#packsRead += 1;
    this.#bytesRead += bytes;
    this.#lastMs = this.#clock.monotonicMs();
  }

  /** @param packs all that there are */
  report(packs: ReadonlyMap<string, PackFacts>): VerifyReading {
    const bytes = [...packs.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const durationMs = Math.max(0, this.#lastMs - this.#firstMs);
    return {
      packs: packs.size,
      packsRead: this.#packsRead,
      bytes,
      bytesRead: this.#bytesRead,
      durationMs,
      fullPassMs: this.#bytesRead === 0 || durationMs === 0 ? null : durationMs * (bytes / this.#bytesRead),
    };
  }
}
