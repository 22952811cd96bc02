/**
 * Which step may begin next. Keeps count of what each step still waits for, so that a plan of many thousand steps costs
 * time in proportion to its edges. Decides nothing about limits: the caller takes as many as it has room for.
 */
import type { StepId } from "../../model/identifiers.ts";
import { type StepGraph, stageOf } from "./step-graph.ts";

export type ReadyQueueOptions = {
  readonly graph: StepGraph;
  /** Steps to go through; all others count as complete. */
  readonly steps: ReadonlySet<StepId>;
  /** `forward`: after what is needed. `backward`: after the dependents, to take effects back. */
  readonly order: "forward" | "backward";
  /** Higher first; equal ones in the plan's order. */
  readonly priority: (id: StepId) => number;
};

export class ReadyQueue {
  readonly #options: ReadyQueueOptions;
  readonly #open = new Map<StepId, number>();
  /** Steps that wait for nothing but their stage, by stage. */
  readonly #free: [StepId[], StepId[], StepId[]] = [[], [], []];
  readonly #unfinished: [number, number, number] = [0, 0, 0];

  constructor(options: ReadyQueueOptions) {
    this.#options = options;
    const before = options.order === "forward" ? options.graph.needs : options.graph.dependents;
    for (const id of options.graph.order) {
      if (!options.steps.has(id)) continue;
      const open = (before.get(id) ?? []).filter((other) => options.steps.has(other)).length;
      this.#open.set(id, open);
      this.#unfinished[this.#stage(id)] += 1;
      if (open === 0) this.#release(id);
    }
  }

  /** The stage whose steps may begin now; null when all are complete. */
  get stage(): 0 | 1 | 2 | null {
    const stages = [0, 1, 2] as const;
    const inOrder = this.#options.order === "forward" ? stages : stages.toReversed();
    return inOrder.find((stage) => this.#unfinished[stage] > 0) ?? null;
  }

  /** The next step that may begin; undefined when none may. */
  take(): StepId | undefined {
    const stage = this.stage;
    return stage === null ? undefined : this.#free[stage].pop();
  }

  /** The step is complete: what waited for it may follow. */
  complete(id: StepId): void {
    this.#unfinished[this.#stage(id)] -= 1;
    const { graph, order } = this.#options;
    for (const next of (order === "forward" ? graph.dependents : graph.needs).get(id) ?? []) {
      const open = this.#open.get(next);
      if (open === undefined) continue;
      this.#open.set(next, open - 1);
      if (open === 1) this.#release(next);
    }
  }

  #stage(id: StepId): 0 | 1 | 2 {
    const step = this.#options.graph.steps.get(id);
    return step === undefined ? 0 : stageOf(step.phase);
  }

  /** Kept in ascending priority, so that `take` is a pop; among equals the one that came first is taken first. */
  #release(id: StepId): void {
    const list = this.#free[this.#stage(id)];
    const priority = this.#options.priority(id);
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = list[middle];
      if (other !== undefined && this.#options.priority(other) < priority) low = middle + 1;
      else high = middle;
    }
    list.splice(low, 0, id);
  }
}
