/** Events of several sources, to be taken one after the other by one reader. */

export class EventQueue<Event> {
  readonly #waiting: Event[] = [];
  #wake: (() => void) | null = null;

  push(event: Event): void {
    this.#waiting.push(event);
    this.#wake?.();
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  async next(): Promise<Event> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
