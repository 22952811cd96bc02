/** Waves and critical path of a plan: how its steps fall in time when nothing but their needs and their durations counts. */
import type { StepId } from "../../model/identifiers.ts";
import type { QueueLayout } from "../run/queue-layout.ts";
import type { StepTimes } from "../run/numbered-queue.ts";
import type { StepGraph } from "../run/step-graph.ts";

export type PlanShape = {
  /** Steps by the longest chain of needs before them: those of one wave may run at the same time. */
  readonly waves: StepId[][];
  /** From a first step to a last one, the chain that takes longest. */
  readonly criticalPath: StepId[];
};

/** @param layout of all steps of the graph */
export const planShape = (
  graph: Pick<StepGraph, "dependents">,
  { ids, numbers, after, waits }: QueueLayout,
  { remainingMs }: Pick<StepTimes, "remainingMs">,
): PlanShape => {
  const waveOf = new Uint32Array(ids.length);
  const waves: StepId[][] = [];
  for (const [step, id] of ids.entries()) {
    const wave = waveOf[step] ?? 0;
    (waves[wave] ??= []).push(id);
    for (const next of after[step] ?? []) waveOf[next] = Math.max(waveOf[next] ?? 0, wave + 1);
  }
  const remaining = (id: StepId): number => remainingMs[numbers.get(id) ?? 0] ?? 0;
  const longest = (some: readonly StepId[]): StepId | undefined =>
    some.reduce<StepId | undefined>(
      (best, id) => (best === undefined || remaining(id) > remaining(best) ? id : best),
      undefined,
    );
  const criticalPath: StepId[] = [];
  const first = ids.filter((_id, step) => waits[step] === 0);
  for (let id = longest(first); id !== undefined; id = longest(graph.dependents.get(id) ?? [])) criticalPath.push(id);
  return { waves, criticalPath };
};
