/** A clock that stands still while anything is being done and jumps to the next sleeper when nothing is: hours in milliseconds. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../core/ports/environment.ts";

type Sleeper = { readonly wakeMs: number; readonly wake: () => void };

export class VirtualClock implements Clock {
  readonly #beganAt: number;
  readonly #sleepers = new Set<Sleeper>();
  #elapsedMs = 0;

  constructor(beganAt = "2026-03-01T16:12:08.000Z") {
    this.#beganAt = Date.parse(beganAt);
  }

  readonly now = (): Date => new Date(this.#beganAt + this.#elapsedMs);

  readonly monotonicMs = (): number => this.#elapsedMs;

  readonly sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const refuse = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      };
      const sleeper: Sleeper = {
        wakeMs: this.#elapsedMs + ms,
        wake: () => {
          signal.removeEventListener("abort", refuse);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", refuse, { once: true });
    });

  /**
   * Lets time pass until `work` has settled. Right only for work that waits for this clock and for promises, not for files or
   * servers: all that can be done at an instant is done before time goes on.
   */
  async passUntil<Result>(work: Promise<Result>): Promise<Result> {
    let settled = false;
    const end = work.finally(() => {
      settled = true;
    });
    end.catch(() => undefined);
    for (;;) {
      await nextTurn();
      if (settled) return end;
      const next = [...this.#sleepers].toSorted((a, b) => a.wakeMs - b.wakeMs)[0];
      if (next === undefined) continue;
      this.#elapsedMs = next.wakeMs;
      for (const sleeper of this.#sleepers) {
        if (sleeper.wakeMs > next.wakeMs) continue;
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
    }
  }
}
