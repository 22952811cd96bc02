/** Waves and critical path of a plan: how its steps fall in time when nothing but their needs and their durations counts. */
import type { StepId } from "../../model/identifiers.ts";
import type { PlanStep } from "../../model/plan.ts";
import { buildStepGraph, remainingPathMs } from "../run/step-graph.ts";

export type PlanShape = {
  /** Steps by the longest chain of needs before them: those of one wave may run at the same time. */
  readonly waves: StepId[][];
  /** From a first step to a last one, the chain that takes longest. */
  readonly criticalPath: StepId[];
};

export const planShape = (steps: readonly PlanStep[], durationMs: (id: StepId) => number): PlanShape => {
  const graph = buildStepGraph(steps);
  const waveOf = new Map<StepId, number>();
  const waves: StepId[][] = [];
  for (const id of graph.order) {
    const wave = (graph.needs.get(id) ?? []).reduce((latest, need) => Math.max(latest, (waveOf.get(need) ?? 0) + 1), 0);
    waveOf.set(id, wave);
    (waves[wave] ??= []).push(id);
  }
  const remaining = remainingPathMs(graph, durationMs);
  const longest = (ids: readonly StepId[]): StepId | undefined =>
    ids.reduce<StepId | undefined>(
      (best, id) => (best === undefined || (remaining.get(id) ?? 0) > (remaining.get(best) ?? 0) ? id : best),
      undefined,
    );
  const criticalPath: StepId[] = [];
  const first = graph.order.filter((id) => graph.needs.get(id)?.length === 0);
  for (let id = longest(first); id !== undefined; id = longest(graph.dependents.get(id) ?? [])) criticalPath.push(id);
  return { waves, criticalPath };
};
