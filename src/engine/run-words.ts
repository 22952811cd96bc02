/**
 * What people have said to a run from outside of the process that executes it, read from the journal as far as it has grown. Looks only; what
 * follows of a word is decided where it is asked for.
 */
import type { Journal } from "../core/ports/engine.ts";
import { isHeardBy } from "../core/run/approval-gate.ts";
import type { RunNumber, StepId } from "../model/identifiers.ts";
import type { RunEvent } from "../model/run.ts";
import type { SpokenWord } from "../model/run-word.ts";

type Heard = SpokenWord & { readonly sequence: number };

export class RunWords {
  readonly #journal: Pick<Journal, "events">;
  readonly #run: RunNumber;
  readonly #heard: Heard[] = [];
  /** By step: the event by which it last failed. What was said before is answered by that. */
  readonly #failed = new Map<StepId, number>();
  readonly #begin: number;
  #seen = 0;

  /** @param begin the last event of before this process had the run */
  constructor(journal: Pick<Journal, "events">, run: RunNumber, begin: number) {
    this.#journal = journal;
    this.#run = run;
    this.#begin = begin;
  }

  /** In order, since the step last failed; edits of what people are told among them, which say something to gates. */
  async ofStep(step: StepId): Promise<readonly SpokenWord[]> {
    await this.#listen();
    const since = this.#failed.get(step) ?? 0;
    return this.#heard.filter((word) => isHeardBy(step, word) && word.sequence > since);
  }

  /** That somebody wants the run held, since this process has it. */
  async pause(): Promise<SpokenWord | null> {
    await this.#listen();
    return this.#heard.find(({ says, sequence }) => says === "pause" && sequence > this.#begin) ?? null;
  }

  /** The word by which a step is left out. */
  async skip(step: StepId): Promise<SpokenWord | null> {
    return (await this.ofStep(step)).find(({ says }) => says === "skip") ?? null;
  }

  async #listen(): Promise<void> {
    for (const event of await this.#journal.events(this.#run, this.#seen)) this.#take(event);
  }

  #take(event: RunEvent): void {
    // Two callers may have asked at once.
    if (event.type === "progress" || event.sequence <= this.#seen) return;
    this.#seen = event.sequence;
    if (event.type === "word") this.#heard.push({ ...event.word, at: event.at, sequence: event.sequence });
    if (event.type === "step" && event.state === "failed") this.#failed.set(event.step, event.sequence);
  }
}

export const describeSkip = ({ by, reason }: SpokenWord): string =>
  `skipped by ${by}: ${reason ?? "no reason was given"}`;
