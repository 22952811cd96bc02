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

/** A step and all that decides when it begins, looked up once. */
type Entry = {
  readonly id: StepId;
  /** In the order of the graph. */
  readonly position: number;
  readonly lane: Lane;
  readonly stage: Stage;
  readonly group: Group;
  readonly durationMs: number;
  readonly remainingMs: number;
  readonly lengthMs: number;
  /** Steps that wait for this one. */
  readonly after: Entry[];
  /** Steps that this one still waits for. */
  open: number;
};

type Lane = {
  /** By stage, groups with steps that wait for nothing but their stage and a free place. */
  readonly free: readonly [Set<Group>, Set<Group>, Set<Group>];
  readonly unfinished: [number, number, number];
};

/** Steps of a lane and stage that differ only in how long is left from them on. */
type Group = {
  readonly priority: number;
  /** Limits that its steps count against. */
  readonly own: readonly number[];
  /** Those and the limits of all that waits for its steps; without the machine's, which all share. */
  readonly ahead: readonly number[];
  /** The free ones, ascending: the last one is the next. */
  readonly steps: Entry[];
};

export class ReadyQueue {
  readonly #order: ReadyQueueOptions["order"];
  readonly #capacities: readonly number[];
  readonly #entries: ReadonlyMap<StepId, Entry>;
  readonly #lanes: ReadonlyMap<string, Lane>;
  /** By limit: steps that run. */
  readonly #used: number[];
  /** By limit: expected work of the steps that have not begun. */
  readonly #backlogMs: number[];

  constructor(options: ReadyQueueOptions) {
    const { capacities } = options.limits;
    this.#order = options.order;
    this.#capacities = capacities;
    this.#used = capacities.map(() => 0);
    this.#backlogMs = capacities.map(() => 0);
    ({ entries: this.#entries, lanes: this.#lanes } = lookUp(options));
    for (const entry of this.#entries.values()) {
      entry.lane.unfinished[entry.stage] += 1;
      for (const limit of entry.group.own) this.#addBacklog(limit, entry.durationMs);
    }
    for (const entry of this.#entries.values()) if (entry.open === 0) release(entry);
  }

  /** The stage whose steps may begin now, of the lane that is furthest back; null when all are complete. */
  get stage(): Stage | null {
    const stages = [...this.#lanes.keys()].flatMap((lane) => this.stageIn(lane) ?? []);
    if (stages.length === 0) return null;
    return this.#order === "forward" ? least(stages) : greatest(stages);
  }

  stageIn(lane: string): Stage | null {
    const { unfinished = [0, 0, 0] } = this.#lanes.get(lane) ?? {};
    const inOrder = this.#order === "forward" ? stages : backwards;
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
    let best: { readonly lane: string; readonly group: Group; readonly rank: readonly number[] } | undefined;
    for (const lane of from) {
      const stage = this.stageIn(lane);
      if (stage === null) continue;
      for (const group of this.#lanes.get(lane)?.free[stage] ?? []) {
        if (!this.#fits(group.own)) continue;
        const rank = this.#rank(group);
        if (best === undefined || isHigher(rank, best.rank)) best = { lane, group, rank };
      }
    }
    if (best === undefined || (only !== undefined && best.lane !== only)) return undefined;
    const { group } = best;
    const entry = group.steps.pop();
    if (entry === undefined) return undefined;
    if (group.steps.length === 0) entry.lane.free[entry.stage].delete(group);
    for (const limit of group.own) {
      this.#used[limit] = (this.#used[limit] ?? 0) + 1;
      this.#addBacklog(limit, -entry.durationMs);
    }
    return entry.id;
  }

  /** The step runs no more, whatever came of it: another one may have its place. */
  leave(id: StepId): void {
    for (const limit of this.#entries.get(id)?.group.own ?? []) this.#used[limit] = (this.#used[limit] ?? 1) - 1;
  }

  /** The step is complete: what waited for it may follow. */
  complete(id: StepId): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.lane.unfinished[entry.stage] -= 1;
    for (const next of entry.after) {
      next.open -= 1;
      if (next.open === 0) release(next);
    }
  }

  #addBacklog(limit: number, ms: number): void {
    this.#backlogMs[limit] = (this.#backlogMs[limit] ?? 0) + ms;
  }

  #fits(limits: readonly number[]): boolean {
    return limits.every((limit) => (this.#used[limit] ?? 0) < (this.#capacities[limit] ?? 0));
  }

  /** How long the work that has not begun keeps the narrowest of the limits busy. */
  #busyMs(limits: readonly number[]): number {
    return limits.reduce(
      (longest, limit) => Math.max(longest, (this.#backlogMs[limit] ?? 0) / (this.#capacities[limit] ?? 1)),
      0,
    );
  }

  #rank({ priority, own, ahead, steps }: Group): readonly number[] {
    const next = steps.at(-1);
    return [
      priority,
      Math.max(next?.remainingMs ?? 0, this.#busyMs(ahead)),
      this.#busyMs(own.slice(1)),
      next?.lengthMs ?? 0,
      -(next?.position ?? 0),
    ];
  }
}

/** Kept in ascending order, so that `take` is a pop; among equals the one that came first is taken first. */
const release = (entry: Entry): void => {
  const { group, lane, stage, lengthMs } = entry;
  lane.free[stage].add(group);
  const list = group.steps;
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = list[middle];
    if (other !== undefined && other.lengthMs < lengthMs) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, entry);
};

/**
 * What is left from the step on, less the share of its narrowest limit that it takes: where one step runs at a time, the one that most
 * waits for is first, however long it takes itself; where many do, the longest way is.
 */
const lengthOf = (
  remainingMs: number,
  durationMs: number,
  own: readonly number[],
  capacities: readonly number[],
): number => {
  let narrowest = Number.POSITIVE_INFINITY;
  for (const limit of own) narrowest = Math.min(narrowest, capacities[limit] ?? narrowest);
  return remainingMs - durationMs / narrowest;
};

const lookUp = (options: ReadyQueueOptions) => {
  const { graph, steps, limits, order, lane: laneOf, priority, durationMs: lasting, remainingMs: remaining } = options;
  const before = order === "forward" ? graph.needs : graph.dependents;
  const aheadOf = limitsAhead(options);
  const entries = new Map<StepId, Entry>();
  const lanes = new Map<string, Lane>();
  const groups = new Map<string, Group>();
  const laneNamed = (name: string): Lane => {
    const known = lanes.get(name);
    if (known !== undefined) return known;
    const lane: Lane = { free: [new Set(), new Set(), new Set()], unfinished: [0, 0, 0] };
    lanes.set(name, lane);
    return lane;
  };
  const groupOf = (id: StepId, name: string, stage: Stage): Group => {
    const [urgency, own, ahead] = [priority?.(id) ?? 0, limits.of(id), aheadOf.get(id) ?? []];
    const key = `${name}/${stage}/${urgency}/${own.join(",")}/${ahead.join(",")}`;
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group: Group = { priority: urgency, own, ahead, steps: [] };
    groups.set(key, group);
    return group;
  };
  for (const [position, id] of graph.order.entries()) {
    const step = graph.steps.get(id);
    if (!steps.has(id) || step === undefined) continue;
    const stage = stageOf(step.phase);
    const name = laneOf?.(id) ?? "";
    const group = groupOf(id, name, stage);
    const [durationMs, remainingMs] = [lasting?.(id) ?? 0, remaining?.(id) ?? 0];
    const lengthMs = lengthOf(remainingMs, durationMs, group.own, limits.capacities);
    const entry = { id, position, lane: laneNamed(name), stage, group, durationMs, remainingMs, lengthMs };
    entries.set(id, { ...entry, after: [], open: 0 });
  }
  for (const entry of entries.values())
    for (const id of before.get(entry.id) ?? []) {
      const other = entries.get(id);
      if (other === undefined) continue;
      entry.open += 1;
      other.after.push(entry);
    }
  return { entries, lanes };
};

const stages = [0, 1, 2] as const;
const backwards = [2, 1, 0] as const;

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
