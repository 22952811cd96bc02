/**
 * The order of a plan's steps: a DAG by `needs`, with two gates between the phases. Nothing of the cutover begins before all
 * that comes before it is done, whatever a plan says: live is touched only when the new side is known to be good.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { Phase, PlanStep } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";

/** Steps of a lower stage are complete before one of a higher stage begins; backwards it is the other way round. */
export const stageOf = (phase: Phase): 0 | 1 | 2 =>
  ({ restore: 0, validate: 0, decide: 0, cutover: 1, prove: 2 } as const satisfies Record<Phase, 0 | 1 | 2>)[phase];

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
  for (const step of planSteps) {
    if (steps.has(step.id)) throw new RefloatError("bug", `the plan has two steps ${step.id}`);
    steps.set(step.id, step);
    dependents.set(step.id, []);
  }
  for (const step of planSteps) {
    const own = step.needs.length < 2 ? step.needs : [...new Set(step.needs)];
    needs.set(step.id, own);
    for (const need of own) {
      const list = dependents.get(need);
      if (list === undefined) throw new RefloatError("bug", `step ${step.id} needs ${need}, which the plan has not`);
      if (stageOf((steps.get(need) ?? step).phase) > stageOf(step.phase) && laneOf(need) === laneOf(step.id))
        throw new RefloatError("bug", `step ${step.id} needs ${need}, which belongs to a later phase`);
      list.push(step.id);
    }
  }
  return { steps, needs, dependents, order: topologicalOrder(needs, dependents) };
};

const topologicalOrder = (
  needs: ReadonlyMap<StepId, readonly StepId[]>,
  dependents: ReadonlyMap<StepId, readonly StepId[]>,
): readonly StepId[] => {
  const open = new Map<StepId, number>();
  const order: StepId[] = [];
  for (const [id, list] of needs) {
    if (list.length === 0) order.push(id);
    else open.set(id, list.length);
  }
  // The array grows while it is walked: it is queue and result in one.
  for (const id of order) {
    for (const dependent of dependents.get(id) ?? []) {
      const count = (open.get(dependent) ?? 0) - 1;
      open.set(dependent, count);
      if (count === 0) order.push(dependent);
    }
  }
  if (order.length === needs.size) return order;
  const waiting = [...needs.keys()].filter((id) => !order.includes(id));
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
