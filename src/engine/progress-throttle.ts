/** Progress comes as often as a driver likes and is told as often as a screen needs. The last word before a step settles is always told. */
import type { Clock } from "../core/ports/environment.ts";
import type { Progress } from "../model/run.ts";

export class ProgressThrottle {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #tell: (progress: Progress) => void;
  #toldAt = Number.NEGATIVE_INFINITY;
  #held: Progress | null = null;

  constructor(clock: Clock, intervalMs: number, tell: (progress: Progress) => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#tell = tell;
  }

  report(progress: Progress): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#toldAt < this.#intervalMs) {
      this.#held = progress;
      return;
    }
    this.#toldAt = now;
    this.#held = null;
    this.#tell(progress);
  }

  /** The step has settled: tells what was held back. */
  flush(): void {
    if (this.#held !== null) this.#tell(this.#held);
    this.#held = null;
  }
}
