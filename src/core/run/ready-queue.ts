/**
 * Which step may begin next, within the limits of how many run at once. Keeps count of what each step still waits for, so that a plan of
 * many thousand steps costs time in proportion to its edges.
 *
 * Among steps that may begin: the higher priority; then what the rest of the run waits for longest, be it the longest way that begins with
 * the step or the work that a narrow limit still has before it; then the one that itself keeps that limit busy; then the plan's order.
 */
import type { StepId } from "../../model/identifiers.ts";
import { type StepGraph, stageOf } from "./step-graph.ts";
import type { StepLimits } from "./step-limits.ts";

export type ReadyQueueOptions = {
  readonly graph: StepGraph;
  /** Steps to go through; all others count as complete. */
  readonly steps: ReadonlySet<StepId>;
  /** `forward`: after what is needed. `backward`: after the dependents, to take effects back. */
  readonly order: "forward" | "backward";
  readonly limits: StepLimits;
  /** Declared; higher first. 0 for all when left out. */
  readonly priority?: (id: StepId) => number;
  /** How long a step is expected to take; 0 for all when left out. */
  readonly durationMs?: (id: StepId) => number;
  /** From the step's begin to the end of all that waits for it; 0 for all when left out. */
  readonly remainingMs?: (id: StepId) => number;
  /** Stages order the steps of one lane alone; all are of one when left out. */
  readonly lane?: (id: StepId) => string;
};

export type Stage = 0 | 1 | 2;

/** What steps are taken from: a queue, or one lane of it. */
export type StepSource = Pick<ReadyQueue, "stage" | "leave" | "complete"> & {
  readonly take: () => StepId | undefined;
};

type FreeSteps = readonly [Map<string, Group>, Map<string, Group>, Map<string, Group>];

type Lane = {
  /** Steps that wait for nothing but their stage and a free place, by stage. */
  readonly free: FreeSteps;
  readonly unfinished: [number, number, number];
};

/** Free steps that differ only in how long is left from them on. */
type Group = {
  readonly priority: number;
  /** Limits that its steps count against. */
  readonly own: readonly number[];
  /** Those and the limits of all that waits for its steps; without the machine's, which all share. */
  readonly ahead: readonly number[];
  /** Ascending: the last one is the next. */
  readonly steps: StepId[];
};

export class ReadyQueue {
  readonly #options: ReadyQueueOptions;
  readonly #open = new Map<StepId, number>();
  readonly #position = new Map<StepId, number>();
  readonly #lanes = new Map<string, Lane>();
  readonly #ahead: ReadonlyMap<StepId, readonly number[]>;
  /** By limit: steps that run. */
  readonly #used: number[];
  /** By limit: expected work of the steps that have not begun. */
  readonly #backlogMs: number[];

  constructor(options: ReadyQueueOptions) {
    this.#options = options;
    const { graph, steps, limits } = options;
    this.#used = limits.capacities.map(() => 0);
    this.#backlogMs = limits.capacities.map(() => 0);
    this.#ahead = limitsAhead(options);
    const before = options.order === "forward" ? graph.needs : graph.dependents;
    for (const [position, id] of graph.order.entries()) {
      if (!steps.has(id)) continue;
      this.#position.set(id, position);
      const open = (before.get(id) ?? []).filter((other) => steps.has(other)).length;
      this.#open.set(id, open);
      this.#laneOf(id).unfinished[this.#stage(id)] += 1;
      for (const limit of limits.of(id)) this.#addBacklog(limit, this.#durationMs(id));
      if (open === 0) this.#release(id);
    }
  }

  /** The stage whose steps may begin now, of the lane that is furthest back; null when all are complete. */
  get stage(): Stage | null {
    const stages = [...this.#lanes.keys()].flatMap((lane) => this.stageIn(lane) ?? []);
    if (stages.length === 0) return null;
    return this.#options.order === "forward" ? least(stages) : greatest(stages);
  }

  stageIn(lane: string): Stage | null {
    const { unfinished = [0, 0, 0] } = this.#lanes.get(lane) ?? {};
    const inOrder = this.#options.order === "forward" ? stages : stages.toReversed();
    return inOrder.find((stage) => unfinished[stage] > 0) ?? null;
  }

  /** Could a step of the lane begin, but for the limits? */
  hasFreeIn(lane: string): boolean {
    const stage = this.stageIn(lane);
    return stage !== null && (this.#lanes.get(lane)?.free[stage].size ?? 0) > 0;
  }

  /**
   * The next step that may begin, which counts against its limits from now on; undefined when none may.
   * @param from lanes of which one may begin; all when left out
   * @param only and of them the one that it must be of, or nothing is taken
   */
  take(from: Iterable<string> = this.#lanes.keys(), only?: string): StepId | undefined {
    let best:
      | { readonly lane: string; readonly group: Group; readonly key: string; readonly rank: readonly number[] }
      | undefined;
    for (const lane of from) {
      const stage = this.stageIn(lane);
      if (stage === null) continue;
      for (const [key, group] of this.#lanes.get(lane)?.free[stage] ?? []) {
        if (!this.#fits(group.own)) continue;
        const rank = this.#rank(group);
        if (best === undefined || isHigher(rank, best.rank)) best = { lane, group, key, rank };
      }
    }
    if (best === undefined || (only !== undefined && best.lane !== only)) return undefined;
    const id = best.group.steps.pop();
    if (id === undefined) return undefined;
    if (best.group.steps.length === 0) this.#laneOf(id).free[this.#stage(id)].delete(best.key);
    for (const limit of best.group.own) {
      this.#used[limit] = (this.#used[limit] ?? 0) + 1;
      this.#addBacklog(limit, -this.#durationMs(id));
    }
    return id;
  }

  /** The step runs no more, whatever came of it: another one may have its place. */
  leave(id: StepId): void {
    for (const limit of this.#options.limits.of(id)) this.#used[limit] = (this.#used[limit] ?? 1) - 1;
  }

  /** The step is complete: what waited for it may follow. */
  complete(id: StepId): void {
    this.#laneOf(id).unfinished[this.#stage(id)] -= 1;
    const { graph, order } = this.#options;
    for (const next of (order === "forward" ? graph.dependents : graph.needs).get(id) ?? []) {
      const open = this.#open.get(next);
      if (open === undefined) continue;
      this.#open.set(next, open - 1);
      if (open === 1) this.#release(next);
    }
  }

  #laneOf(id: StepId): Lane {
    const name = this.#options.lane?.(id) ?? "";
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane: Lane = { free: [new Map(), new Map(), new Map()], unfinished: [0, 0, 0] };
    this.#lanes.set(name, lane);
    return lane;
  }

  #stage(id: StepId): Stage {
    const step = this.#options.graph.steps.get(id);
    return step === undefined ? 0 : stageOf(step.phase);
  }

  #durationMs(id: StepId): number {
    return this.#options.durationMs?.(id) ?? 0;
  }

  #remainingMs(id: StepId): number {
    return this.#options.remainingMs?.(id) ?? 0;
  }

  /**
   * What is left from the step on, less the share of its narrowest limit that it takes: where one step runs at a time, the one that most
   * waits for is first, however long it takes itself; where many do, the longest way is.
   */
  #lengthMs(id: StepId): number {
    const { capacities, of } = this.#options.limits;
    const narrowest = of(id).reduce(
      (least, limit) => Math.min(least, capacities[limit] ?? least),
      Number.POSITIVE_INFINITY,
    );
    return this.#remainingMs(id) - this.#durationMs(id) / narrowest;
  }

  #addBacklog(limit: number, ms: number): void {
    this.#backlogMs[limit] = (this.#backlogMs[limit] ?? 0) + ms;
  }

  #fits(limits: readonly number[]): boolean {
    const { capacities } = this.#options.limits;
    return limits.every((limit) => (this.#used[limit] ?? 0) < (capacities[limit] ?? 0));
  }

  /** How long the work that has not begun keeps the narrowest of the limits busy. */
  #busyMs(limits: readonly number[]): number {
    const { capacities } = this.#options.limits;
    return limits.reduce(
      (longest, limit) => Math.max(longest, (this.#backlogMs[limit] ?? 0) / (capacities[limit] ?? 1)),
      0,
    );
  }

  #rank({ priority, own, ahead, steps }: Group): readonly number[] {
    const next = steps.at(-1);
    const remainingMs = next === undefined ? 0 : this.#remainingMs(next);
    const ownMs = this.#busyMs(own.slice(1));
    return [
      priority,
      Math.max(remainingMs, this.#busyMs(ahead)),
      ownMs,
      next === undefined ? 0 : this.#lengthMs(next),
      -(next === undefined ? 0 : (this.#position.get(next) ?? 0)),
    ];
  }

  /** Kept in ascending order, so that `take` is a pop; among equals the one that came first is taken first. */
  #release(id: StepId): void {
    const groups = this.#laneOf(id).free[this.#stage(id)];
    const priority = this.#options.priority?.(id) ?? 0;
    const own = this.#options.limits.of(id);
    const ahead = this.#ahead.get(id) ?? [];
    const key = `${priority}/${own.join(",")}/${ahead.join(",")}`;
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { priority, own, ahead, steps: [] }));
    const list = group.steps;
    const lengthMs = this.#lengthMs(id);
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = list[middle];
      if (other !== undefined && this.#lengthMs(other) < lengthMs) low = middle + 1;
      else high = middle;
    }
    list.splice(low, 0, id);
  }
}

const stages = [0, 1, 2] as const;

const least = (all: readonly Stage[]): Stage => all.reduce((one, other) => (other < one ? other : one));
const greatest = (all: readonly Stage[]): Stage => all.reduce((one, other) => (other > one ? other : one));

/** The first place where two ranks differ decides. */
const isHigher = (rank: readonly number[], than: readonly number[]): boolean => {
  const at = rank.findIndex((value, index) => value !== than[index]);
  return at >= 0 && (rank[at] ?? 0) > (than[at] ?? 0);
};

/** Of each step the limits that it and all that waits for it count against. Steps share the lists, of which there are few. */
const limitsAhead = ({ graph, steps, order, limits }: ReadyQueueOptions): ReadonlyMap<StepId, readonly number[]> => {
  const ahead = new Map<StepId, readonly number[]>();
  if (limits.capacities.length === 1) return ahead;
  const shared = new Map<string, readonly number[]>();
  const after = order === "forward" ? graph.dependents : graph.needs;
  for (const id of order === "forward" ? graph.order.toReversed() : graph.order) {
    if (!steps.has(id)) continue;
    const all = new Set(limits.of(id).slice(1));
    for (const next of after.get(id) ?? []) for (const limit of ahead.get(next) ?? []) all.add(limit);
    const list = [...all].toSorted((one, other) => one - other);
    const key = list.join(",");
    const known = shared.get(key);
    if (known === undefined) shared.set(key, list);
    ahead.set(id, known ?? list);
  }
  return ahead;
};
