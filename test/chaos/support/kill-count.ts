/** How many kills the usual run and the nightly one have, and the tally that is printed at the end. Knows nothing of what is killed. */
import { seededRandom } from "../../../src/testing/faulty-store.ts";

export const isNightly = process.env["REFLOAT_KILLS"] === "all";

/** Stands in the names of the tests; `REFLOAT_FAULT_SEED` draws the same again. */
export const seed = Number(process.env["REFLOAT_FAULT_SEED"] ?? Math.floor(Math.random() * 1_000_000));

export const random = seededRandom(seed);

/** What was killed, by name: `engine`, or the name of a child's program. */
export class KillCount {
  readonly #kills = new Map<string, number>();

  add(name: string): void {
    this.#kills.set(name, (this.#kills.get(name) ?? 0) + 1);
  }

  get total(): number {
    return [...this.#kills.values()].reduce((sum, count) => sum + count, 0);
  }

  of(name: string): number {
    return this.#kills.get(name) ?? 0;
  }

  /** The names of children that were killed. */
  get names(): readonly string[] {
    return [...this.#kills.keys()];
  }

  /** @param where what was under test */
  print(where: string): void {
    const each = [...this.#kills].map(([name, count]) => `${count} ${name}`).join(", ");
    process.stderr.write(`${where}: ${this.total} kills (${each})\n`);
  }
}
