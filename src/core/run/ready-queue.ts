/** The queue that steps are taken from by their ids, in the order that numbered-queue.ts knows. */
import type { StepId } from "../../model/identifiers.ts";
import { NumberedQueue } from "./numbered-queue.ts";
import { type QueueLayoutOptions, type Stage, layOutQueue } from "./queue-layout.ts";

export type ReadyQueueOptions = QueueLayoutOptions & {
  /** How long a step is expected to take; 0 for all when left out. */
  readonly durationMs?: (id: StepId) => number;
  /** From the step's begin to the end of all that waits for it; 0 for all when left out. */
  readonly remainingMs?: (id: StepId) => number;
};

/** What steps are taken from: a queue, or one lane of it. */
export type StepSource = Pick<ReadyQueue, "stage" | "leave" | "complete"> & {
  readonly take: () => StepId | undefined;
};

export class ReadyQueue {
  readonly numbered: NumberedQueue;

  constructor(options: ReadyQueueOptions) {
    const layout = layOutQueue(options);
    const { durationMs = () => 0, remainingMs = () => 0 } = options;
    this.numbered = new NumberedQueue(layout, {
      durationMs: Float64Array.from(layout.ids, (id) => durationMs(id)),
      remainingMs: Float64Array.from(layout.ids, (id) => remainingMs(id)),
    });
  }

  /** The stage whose steps may begin now, of the lane that is furthest back; null when all are complete. */
  get stage(): Stage | null {
    return this.numbered.stage;
  }

  stageIn(lane: string): Stage | null {
    return this.numbered.stageIn(lane);
  }

  /** Could a step of the lane begin, but for the limits? */
  hasFreeIn(lane: string): boolean {
    return this.numbered.hasFreeIn(lane);
  }

  /**
   * The next step that may begin, which counts against its limits from now on; undefined when none may.
   * @param from lanes of which one may begin; all when left out
   * @param only and of them the one that it must be of, or nothing is taken
   */
  take(from?: Iterable<string>, only?: string): StepId | undefined {
    const step = this.numbered.take(from, only);
    return step === undefined ? undefined : this.numbered.layout.ids[step];
  }

  /** The step runs no more, whatever came of it: another one may have its place. */
  leave(id: StepId): void {
    const step = this.numbered.layout.numberOf(id);
    if (step !== undefined) this.numbered.leave(step);
  }

  /** The step is complete: what waited for it may follow. */
  complete(id: StepId): void {
    const step = this.numbered.layout.numberOf(id);
    if (step !== undefined) this.numbered.complete(step);
  }
}
