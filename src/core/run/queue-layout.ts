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
  /** Steps to go through; all others count as complete. */
  readonly steps: ReadonlySet<StepId>;
  /** `forward`: after what is needed. `backward`: after the dependents, to take effects back. */
  readonly order: "forward" | "backward";
  readonly limits: StepLimits;
  /** Declared; higher first. 0 for all when left out. */
  readonly priority?: (id: StepId) => number;
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
  readonly numbers: ReadonlyMap<StepId, number>;
  readonly groups: readonly StepGroup[];
  readonly groupOf: readonly StepGroup[];
  /** Steps that wait for this one. */
  readonly after: readonly (readonly number[])[];
  /** For how many others this one waits. */
  readonly waits: Uint32Array;
};

export const layOutQueue = (options: QueueLayoutOptions): QueueLayout => {
  const { graph, steps, limits, order } = options;
  const ids = graph.order.filter((id) => steps.has(id));
  const numbers = new Map(ids.map((id, number) => [id, number]));
  const before = order === "forward" ? graph.needs : graph.dependents;
  const after: number[][] = ids.map(() => []);
  const waits = new Uint32Array(ids.length);
  for (const [number, id] of ids.entries())
    for (const other of before.get(id) ?? []) {
      const waitedFor = numbers.get(other);
      if (waitedFor === undefined) continue;
      waits[number] = (waits[number] ?? 0) + 1;
      after[waitedFor]?.push(number);
    }
  return { order, capacities: limits.capacities, ids, numbers, ...groupSteps(options, ids), after, waits };
};

const groupSteps = (
  { graph, limits, order, steps, lane: laneOf, priority: priorityOf }: QueueLayoutOptions,
  ids: readonly StepId[],
): Pick<QueueLayout, "groups" | "groupOf"> => {
  const aheadOf = limitsAhead({ graph, limits, order, steps });
  const groups = new Map<string, StepGroup>();
  const groupOf = ids.map((id) => {
    const [lane, stage] = [laneOf?.(id) ?? "", stageOf(graph.steps.get(id)?.phase ?? "restore")];
    const [priority, own, ahead] = [priorityOf?.(id) ?? 0, limits.of(id), aheadOf.get(id) ?? []];
    const key = `${lane}/${stage}/${priority}/${own.join(",")}/${ahead.join(",")}`;
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group: StepGroup = { index: groups.size, lane, stage, priority, own, ahead };
    groups.set(key, group);
    return group;
  });
  return { groups: [...groups.values()], groupOf };
};

/** Of each step the limits that it and all that waits for it count against. Steps share the lists, of which there are few. */
const limitsAhead = ({ graph, steps, order, limits }: QueueLayoutOptions): ReadonlyMap<StepId, readonly number[]> => {
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
