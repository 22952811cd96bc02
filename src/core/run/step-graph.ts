/**
 * The order of a plan's steps: a DAG by `needs`, with two gates between the phases. Nothing of the cutover begins before all
 * that comes before it is done, whatever a plan says: live is touched only when the new side is known to be good.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { Phase, PlanStep } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";

const stages = { restore: 0, validate: 0, decide: 0, cutover: 1, prove: 2 } as const satisfies Record<Phase, 0 | 1 | 2>;

/** Steps of a lower stage are complete before one of a higher stage begins; backwards it is the other way round. */
export const stageOf = (phase: Phase): 0 | 1 | 2 => stages[phase];

export type StepGraph = {
  readonly steps: ReadonlyMap<StepId, PlanStep>;
  readonly needs: ReadonlyMap<StepId, readonly StepId[]>;
  readonly dependents: ReadonlyMap<StepId, readonly StepId[]>;
  /** Each after all that it needs. */
  readonly order: readonly StepId[];
  readonly numbered: NumberedSteps;
};

/**
 * The graph by numbers: a step's is its place in the order. For whoever goes through all of many thousand steps, and would spend most of the
 * time on looking each of them up by name.
 */
export type NumberedSteps = {
  readonly steps: readonly PlanStep[];
  /** By number, where the plan has the step. */
  readonly places: readonly number[];
  /** Undefined for a name that the plan has not. */
  readonly numberOf: (id: StepId) => number | undefined;
  /** By number. */
  readonly needs: readonly (readonly number[])[];
  /** By number, in the order of the plan. */
  readonly dependents: readonly (readonly number[])[];
};

/**
 * @param laneOf steps of different lanes belong to different services, whose phases do not order each other; all of one when left out
 * @throws RefloatError bug if an id is there twice, a need names nothing, or the steps wait for each other: the planner is wrong
 */
export const buildStepGraph = (
  planSteps: readonly PlanStep[],
  laneOf: (id: StepId) => string = () => "",
): StepGraph => {
  const placeOf = new Map<StepId, number>();
  for (const [place, { id }] of planSteps.entries()) placeOf.set(id, place);
  if (placeOf.size < planSteps.length) throw new RefloatError("bug", `the plan has two steps ${firstTwice(planSteps)}`);
  const needs: number[][] = [];
  const dependents: number[][] = planSteps.map(() => []);
  for (const [place, step] of planSteps.entries()) {
    const own: number[] = [];
    for (const need of step.needs) {
      const before = placeOf.get(need) ?? -1;
      const needed = planSteps[before];
      if (needed === undefined) throw new RefloatError("bug", `step ${step.id} needs ${need}, which the plan has not`);
      if (stageOf(needed.phase) > stageOf(step.phase) && laneOf(need) === laneOf(step.id))
        throw new RefloatError("bug", `step ${step.id} needs ${need}, which belongs to a later phase`);
      if (dependents[before]?.at(-1) === place) continue;
      dependents[before]?.push(place);
      own.push(before);
    }
    needs.push(own);
  }
  return new PlacedSteps(planSteps, placeOf, needs, dependents);
};

const firstTwice = (planSteps: readonly PlanStep[]): StepId | undefined => {
  const seen = new Set<StepId>();
  return planSteps.find(({ id }) => seen.size === seen.add(id).size)?.id;
};

/** Each map of many thousand names costs as much as the graph itself, so one is made once somebody asks for it. */
class PlacedSteps implements StepGraph {
  readonly numbered: NumberedSteps;
  readonly order: readonly StepId[];
  readonly #planSteps: readonly PlanStep[];
  #steps: StepGraph["steps"] | undefined;
  #needs: StepGraph["needs"] | undefined;
  #dependents: StepGraph["dependents"] | undefined;

  /** @param placeOf by name, where the plan has a step @param needs and dependents: by place, places */
  constructor(
    planSteps: readonly PlanStep[],
    placeOf: ReadonlyMap<StepId, number>,
    needs: readonly (readonly number[])[],
    dependents: readonly (readonly number[])[],
  ) {
    const places = topologicalOrder(planSteps, needs, dependents);
    const numbers = new Uint32Array(planSteps.length);
    for (const [number, place] of places.entries()) numbers[place] = number;
    const numbersOf = (lists: readonly (readonly number[])[]): readonly (readonly number[])[] =>
      places.map((place) => (lists[place] ?? []).map((other) => numbers[other] ?? 0));
    this.#planSteps = planSteps;
    this.numbered = {
      steps: places.flatMap((place) => planSteps[place] ?? []),
      places,
      numberOf: (id) => {
        const place = placeOf.get(id);
        return place === undefined ? undefined : numbers[place];
      },
      needs: numbersOf(needs),
      dependents: numbersOf(dependents),
    };
    this.order = this.numbered.steps.map(({ id }) => id);
  }

  get steps(): StepGraph["steps"] {
    return (this.#steps ??= new Map(this.#planSteps.map((step) => [step.id, step])));
  }

  get needs(): StepGraph["needs"] {
    return (this.#needs ??= this.#idsOf(this.numbered.needs));
  }

  get dependents(): StepGraph["dependents"] {
    return (this.#dependents ??= this.#idsOf(this.numbered.dependents));
  }

  #idsOf(lists: readonly (readonly number[])[]): ReadonlyMap<StepId, readonly StepId[]> {
    const idsAt = (some: readonly number[]): StepId[] => some.flatMap((number) => this.order[number] ?? []);
    return new Map(this.#planSteps.map(({ id }) => [id, idsAt(lists[this.numbered.numberOf(id) ?? -1] ?? [])]));
  }
}

/** Places of the steps, each after all that it needs. @param needs and dependents: by place, places */
const topologicalOrder = (
  planSteps: readonly PlanStep[],
  needs: readonly (readonly number[])[],
  dependents: readonly (readonly number[])[],
): readonly number[] => {
  const open = Uint32Array.from(needs, ({ length }) => length);
  const order: number[] = [];
  for (const [place, count] of open.entries()) if (count === 0) order.push(place);
  // The array grows while it is walked: it is queue and result in one.
  for (const place of order) {
    for (const next of dependents[place] ?? []) {
      const count = (open[next] ?? 0) - 1;
      open[next] = count;
      if (count === 0) order.push(next);
    }
  }
  if (order.length === planSteps.length) return order;
  const waiting = planSteps.filter((_step, place) => open[place] !== 0).map(({ id }) => id);
  throw new RefloatError("bug", `steps of the plan wait for each other: ${waiting.slice(0, 10).join(", ")}`);
};

/** All steps that need one of the given, directly or not; the given themselves are not among them. */
export const descendantsOf = (graph: StepGraph, from: Iterable<StepId>): ReadonlySet<StepId> => {
  const roots = new Set(from);
  const found = new Set<StepId>();
  const queue = [...roots];
  for (const id of queue) {
    for (const dependent of graph.dependents.get(id) ?? []) {
      if (found.has(dependent)) continue;
      found.add(dependent);
      queue.push(dependent);
    }
  }
  for (const root of roots) found.delete(root);
  return found;
};

/** For each step the time from its begin to the end of all that waits for it: what is longest begins first. */
export const remainingPathMs = (graph: StepGraph, durationMs: (id: StepId) => number): ReadonlyMap<StepId, number> => {
  const remaining = new Map<StepId, number>();
  for (const id of graph.order.toReversed()) {
    let longest = 0;
    for (const dependent of graph.dependents.get(id) ?? []) longest = Math.max(longest, remaining.get(dependent) ?? 0);
    remaining.set(id, durationMs(id) + longest);
  }
  return remaining;
};
