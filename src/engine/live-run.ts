/**
 * One run in the hands of this process: its record as journaled, and the only way to change it. Nothing is in the record before
 * the journal has it, but that a step is done: what needs it may be prepared while that is being written, and begins after it is. A
 * journal that fails breaks the run for this process.
 */
import type { Journal, RunListener, Transition } from "../core/ports/engine.ts";
import type { Clock, Log } from "../core/ports/environment.ts";
import { applyTransition, closeSteps } from "../core/run/apply-transition.ts";
import { hasEnded } from "../core/run/legal-transitions.ts";
import { type StepGraph, buildStepGraph } from "../core/run/step-graph.ts";
import type { StepId } from "../model/identifiers.ts";
import type { JsonObject } from "../model/json.ts";
import type { Plan } from "../model/plan.ts";
import type { RunWord } from "../model/run-word.ts";
import { warningMessage } from "../core/run/stumbles.ts";
import type { RunWords } from "./run-words.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunDirection, RunEvent, RunRecord, RunState, StepRecord, StepState } from "../model/run.ts";

export type LiveRunParts = {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  readonly words: RunWords;
  readonly listener: RunListener;
};

type StepChanges = Omit<NonNullable<Transition["step"]>, "id" | "state">;

export class LiveRun {
  readonly plan: Plan;
  readonly graph: StepGraph;
  /** Outputs that handlers see: see `#showOutput`. Changes while handlers run. */
  readonly outputs = new Map<StepId, JsonObject>();
  readonly intents = new Map<StepId, JsonObject>();
  /** A handler that was told to stop and did not: it may act as long as this process lives. */
  hasStuckWork = false;
  /** Taken over from a copy: the machine that made it may have gone on after it. */
  fromCopy = false;
  readonly #parts: LiveRunParts;
  readonly #steps: Map<StepId, StepRecord>;
  #run: Omit<RunRecord, "steps">;
  #broken: { readonly error: unknown } | null = null;

  constructor(plan: Plan, { steps, ...run }: RunRecord, parts: LiveRunParts) {
    this.plan = plan;
    this.graph = buildStepGraph(plan.intent.steps);
    this.#parts = parts;
    this.#run = run;
    this.#steps = new Map(steps.map((step) => [step.id, step]));
    for (const step of steps) this.#show(step);
  }

  get record(): RunRecord {
    return { ...this.#run, steps: [...this.#steps.values()] };
  }

  get number(): RunRecord["number"] {
    return this.#run.number;
  }

  get uid(): string {
    return this.#run.uid;
  }

  get direction(): RunDirection {
    return this.#run.direction;
  }

  step(id: StepId): StepRecord {
    const step = this.#steps.get(id);
    if (step === undefined) throw new RefloatError("bug", `run ${this.number} has no step ${id}`);
    return step;
  }

  /** @throws what broke the journal, if it did */
  assertWhole(): void {
    if (this.#broken !== null) throw this.#broken.error;
  }

  /** Nothing more is journaled or done by this process. */
  breakOff(error: unknown): void {
    this.#broken ??= { error };
  }

  async recordStep(id: StepId, state: StepState, changes: StepChanges = {}): Promise<void> {
    await this.#record({ step: { id, state, ...changes } });
  }

  /**
   * The step counts as done at once. Whatever is recorded later is on the disk later, so that nothing which this lets begin has an
   * effect before it is written down.
   * @returns what settles when it is
   */
  async recordDone(id: StepId, changes: StepChanges): Promise<void> {
    this.assertWhole();
    const transition: Transition = { step: { id, state: "done", ...changes } };
    this.#apply(transition);
    this.tell(await this.#write(transition));
  }

  async recordRun(state: RunState, message?: string, direction?: RunDirection): Promise<void> {
    const at = this.#parts.clock.now().toISOString();
    await this.#record({
      run: {
        state,
        endedAt: hasEnded(state) ? at : null,
        ...(message === undefined ? {} : { message }),
        ...(direction === undefined ? {} : { direction }),
      },
    });
    // What a handler sees of outputs depends on the direction.
    if (direction !== undefined) for (const step of this.#steps.values()) this.#show(step);
  }

  /** Kept as an event; changes nothing. */
  async note(message: string): Promise<void> {
    await this.#record({ run: { state: this.#run.state, message } });
  }

  /** A note that the report shows as a warning. */
  warn(message: string): Promise<void> {
    return this.note(warningMessage(message));
  }

  /** Keeps what the person at this terminal says to the run. */
  async say(word: RunWord): Promise<void> {
    this.assertWhole();
    this.tell(await this.#parts.journal.say(this.number, this.#parts.clock.now().toISOString(), word));
  }

  get words(): RunWords {
    return this.#parts.words;
  }

  /** A listener that throws is a fault of a screen, not of the recovery. */
  tell(event: RunEvent): void {
    try {
      this.#parts.listener(event);
    } catch (error) {
      this.#parts.log.warn("a listener of the run failed", { error: String(error) });
    }
  }

  async #record(transition: Transition): Promise<void> {
    this.assertWhole();
    const event = await this.#write(transition);
    this.#apply(transition);
    this.tell(event);
  }

  async #write(transition: Transition): Promise<RunEvent> {
    const at = this.#parts.clock.now().toISOString();
    try {
      const event = await this.#parts.journal.record(this.number, this.#run.epoch, at, transition);
      // One that was recorded before this may have failed meanwhile.
      this.assertWhole();
      return event;
    } catch (error) {
      this.#broken ??= { error };
      throw error;
    }
  }

  #apply(transition: Transition): void {
    const current = transition.step === undefined ? null : this.step(transition.step.id);
    const after = applyTransition(this.#run, current, transition);
    if (after.step === null) {
      this.#run = after.run;
      for (const step of this.#steps.values()) this.#steps.set(step.id, closeSteps(after.run, step));
    } else {
      this.#steps.set(after.step.id, after.step);
      this.#show(after.step);
    }
  }

  /**
   * Forward, an output counts while its step is done; the record keeps it longer, for a step that is asked again. Backward, it
   * counts until the step is taken back: a switch is a switch until then.
   */
  #show(step: StepRecord): void {
    if (step.intent !== null) this.intents.set(step.id, step.intent);
    const counts =
      this.#run.direction === "forward"
        ? step.state === "done"
        : step.state !== "compensated" && step.state !== "failed";
    if (counts && step.output !== null) this.outputs.set(step.id, step.output);
    else this.outputs.delete(step.id);
  }
}
