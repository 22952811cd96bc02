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
};

/**
 * @param laneOf steps of different lanes belong to different services, whose phases do not order each other; all of one when left out
 * @throws RefloatError bug if an id is there twice, a need names nothing, or the steps wait for each other: the planner is wrong
 */
export const buildStepGraph = (
  planSteps: readonly PlanStep[],
  laneOf: (id: StepId) => string = () => "",
): StepGraph => {
  const steps = new Map<StepId, PlanStep>();
  const needs = new Map<StepId, readonly StepId[]>();
  const dependents = new Map<StepId, StepId[]>();
  const places = new Map<StepId, number>();
  for (const [place, step] of planSteps.entries()) {
    if (places.has(step.id)) throw new RefloatError("bug", `the plan has two steps ${step.id}`);
    places.set(step.id, place);
    steps.set(step.id, step);
  }
  const following: number[][] = planSteps.map(() => []);
  for (const [place, step] of planSteps.entries()) {
    const own = step.needs.length < 2 ? step.needs : [...new Set(step.needs)];
    needs.set(step.id, own);
    for (const need of own) {
      const before = places.get(need) ?? -1;
      const needed = planSteps[before];
      if (needed === undefined) throw new RefloatError("bug", `step ${step.id} needs ${need}, which the plan has not`);
      if (stageOf(needed.phase) > stageOf(step.phase) && laneOf(need) === laneOf(step.id))
        throw new RefloatError("bug", `step ${step.id} needs ${need}, which belongs to a later phase`);
      following[before]?.push(place);
    }
  }
  const idsAt = (some: readonly number[]): StepId[] => some.flatMap((place) => planSteps[place]?.id ?? []);
  for (const [place, step] of planSteps.entries()) dependents.set(step.id, idsAt(following[place] ?? []));
  return { steps, needs, dependents, order: idsAt(topologicalOrder(planSteps, needs, following)) };
};

/** Places of the steps, each after all that it needs. @param following by place, places of the steps that need it */
const topologicalOrder = (
  planSteps: readonly PlanStep[],
  needs: ReadonlyMap<StepId, readonly StepId[]>,
  following: readonly (readonly number[])[],
): readonly number[] => {
  const open = Uint32Array.from(planSteps, ({ id }) => needs.get(id)?.length ?? 0);
  const order: number[] = [];
  for (const [place, count] of open.entries()) if (count === 0) order.push(place);
  // The array grows while it is walked: it is queue and result in one.
  for (const place of order) {
    for (const next of following[place] ?? []) {
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
