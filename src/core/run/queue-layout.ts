/**
 * What a queue of steps is made of before anything of it has begun and however long its steps take: which steps wait for which, and which of
 * them differ in nothing but that time. Steps are numbered in the order of the graph, so that whoever goes through many thousands of them
 * several times looks nothing up by name.
 */
import type { StepId } from "../../model/identifiers.ts";
import { type StepGraph, stageOf } from "./step-graph.ts";
import type { StepLimits } from "./step-limits.ts";

export type Stage = 0 | 1 | 2;

export type QueueLayoutOptions = {
  readonly graph: StepGraph;
  /** Steps to go through; all others count as complete. All when left out. */
  readonly steps?: ReadonlySet<StepId>;
  /** `forward`: after what is needed. `backward`: after the dependents, to take effects back. */
  readonly order: "forward" | "backward";
  readonly limits: StepLimits;
  /** Declared, by number in the graph; higher first. 0 for all when left out. */
  readonly priorities?: ArrayLike<number>;
  /** Stages order the steps of one lane alone; all are of one when left out. */
  readonly lane?: (id: StepId) => string;
};

/** Steps of a lane and stage that differ only in how long is left from them on. */
export type StepGroup = {
  /** Among the groups. */
  readonly index: number;
  readonly lane: string;
  readonly stage: Stage;
  readonly priority: number;
  /** Limits that its steps count against. */
  readonly own: readonly number[];
  /** Those and the limits of all that waits for its steps; without the machine's, which all share. */
  readonly ahead: readonly number[];
};

/** Lists have one entry for each step to go through, by its number. */
export type QueueLayout = {
  readonly order: QueueLayoutOptions["order"];
  readonly capacities: readonly number[];
  readonly ids: readonly StepId[];
  /** Undefined for a step that is not gone through. */
  readonly numberOf: (id: StepId) => number | undefined;
  readonly groups: readonly StepGroup[];
  readonly groupOf: readonly StepGroup[];
  /** Steps that wait for this one. */
  readonly after: readonly (readonly number[])[];
  /** For how many others this one waits. */
  readonly waits: Uint32Array;
};

export const layOutQueue = (options: QueueLayoutOptions): QueueLayout => {
  const { graph, steps, limits, order } = options;
  const { numbered } = graph;
  /** Numbers in the graph of the steps to go through. */
  const chosen: number[] = [];
  const numberIn = new Int32Array(numbered.steps.length).fill(-1);
  for (const [number, id] of graph.order.entries()) {
    if (steps?.has(id) === false) continue;
    numberIn[number] = chosen.length;
    chosen.push(number);
  }
  const before = order === "forward" ? numbered.needs : numbered.dependents;
  const after: number[][] = chosen.map(() => []);
  const waits = new Uint32Array(chosen.length);
  for (const [step, number] of chosen.entries())
    for (const other of before[number] ?? []) {
      const waitedFor = numberIn[other] ?? -1;
      if (waitedFor < 0) continue;
      waits[step] = (waits[step] ?? 0) + 1;
      after[waitedFor]?.push(step);
    }
  return {
    order,
    capacities: limits.capacities,
    ids: chosen.length === graph.order.length ? graph.order : chosen.flatMap((number) => graph.order[number] ?? []),
    numberOf: (id) => {
      const step = numberIn[numbered.numberOf(id) ?? -1] ?? -1;
      return step < 0 ? undefined : step;
    },
    ...groupSteps(options, chosen, numberIn),
    after,
    waits,
  };
};

/** @param chosen and numberIn: numbers in the graph of the steps to go through, and the other way round */
const groupSteps = (
  options: QueueLayoutOptions,
  chosen: readonly number[],
  numberIn: Int32Array,
): Pick<QueueLayout, "groups" | "groupOf"> => {
  const { graph, limits, lane: laneOf, priorities } = options;
  const { steps } = graph.numbered;
  const own = steps.map((step, number) => ((numberIn[number] ?? -1) < 0 ? nothing : limits.of(step)));
  const ahead = limitsAhead(options, own, numberIn);
  const groups = new Map<string, StepGroup>();
  let last: StepGroup | undefined;
  const groupOf = chosen.map((number) => {
    const step = steps[number];
    const found = {
      lane: step === undefined ? "" : (laneOf?.(step.id) ?? ""),
      stage: stageOf(step?.phase ?? "restore"),
      priority: priorities?.[number] ?? 0,
      own: own[number] ?? nothing,
      ahead: ahead?.[number] ?? nothing,
    };
    // Neighbours mostly are of one group; to name a group takes longer than all else here.
    if (last === undefined || !isOf(last, found)) last = groupNamed(groups, found);
    return last;
  });
  return { groups: [...groups.values()], groupOf };
};

const nothing: readonly number[] = [];

const isOf = (group: StepGroup, found: Omit<StepGroup, "index">): boolean =>
  group.own === found.own &&
  group.ahead === found.ahead &&
  group.stage === found.stage &&
  group.priority === found.priority &&
  group.lane === found.lane;

const groupNamed = (groups: Map<string, StepGroup>, found: Omit<StepGroup, "index">): StepGroup => {
  const { lane, stage, priority, own, ahead } = found;
  const key = `${lane}/${stage}/${priority}/${own.join(",")}/${ahead.join(",")}`;
  const known = groups.get(key);
  if (known !== undefined) return known;
  const group: StepGroup = { index: groups.size, ...found };
  groups.set(key, group);
  return group;
};

/**
 * By number in the graph the limits that a step and all that waits for it count against; null where there is none but the machine's. Steps share
 * the lists, of which there are few.
 */
const limitsAhead = (
  { graph: { numbered }, order, limits }: QueueLayoutOptions,
  own: readonly (readonly number[])[],
  numberIn: Int32Array,
): readonly (readonly number[])[] | null => {
  if (limits.capacities.length === 1) return null;
  const ahead: (readonly number[])[] = numbered.steps.map(() => nothing);
  const shared = new Map<string, readonly number[]>();
  const after = order === "forward" ? numbered.dependents : numbered.needs;
  const numbers = numbered.steps.keys();
  for (const number of order === "forward" ? [...numbers].toReversed() : numbers) {
    if ((numberIn[number] ?? -1) < 0) continue;
    const all = new Set(own[number]?.slice(1));
    for (const next of after[number] ?? []) for (const limit of ahead[next] ?? nothing) all.add(limit);
    const list = [...all].toSorted((one, other) => one - other);
    const key = list.join(",");
    const known = shared.get(key);
    if (known === undefined) shared.set(key, list);
    ahead[number] = known ?? list;
  }
  return ahead;
};
