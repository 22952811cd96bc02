/** A lock between threads, for critical sections of about a microsecond. */

const free = 0;
const taken = 1;
const spins = 200;

export class SharedMutex {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param words over shared memory; the word at `at` belongs to the mutex */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Not re-entrant. */
  hold<Result>(section: () => Result): Result {
    for (let tries = 0; Atomics.compareExchange(this.#words, this.#at, free, taken) !== free; tries += 1) {
      // The holder may have been descheduled: waiting gives it the processor. The limit makes up for a wake-up that came too early.
      if (tries >= spins) Atomics.wait(this.#words, this.#at, taken, 1);
    }
    try {
      return section();
    } finally {
      Atomics.store(this.#words, this.#at, free);
      Atomics.notify(this.#words, this.#at, 1);
    }
  }
}
