/** Waves and critical path of a plan: how its steps fall in time when nothing but their needs and their durations counts. */
import type { StepId } from "../../model/identifiers.ts";
import type { StepTimes } from "../run/numbered-queue.ts";
import type { NumberedSteps } from "../run/step-graph.ts";

export type PlanShape = {
  /** Steps by the longest chain of needs before them: those of one wave may run at the same time. */
  readonly waves: StepId[][];
  /** By number, from a first step to a last one, the chain that takes longest. */
  readonly criticalPath: number[];
};

export const planShape = (
  { steps, needs, dependents }: Pick<NumberedSteps, "steps" | "needs" | "dependents">,
  { remainingMs }: Pick<StepTimes, "remainingMs">,
): PlanShape => {
  const waveOf = new Uint32Array(steps.length);
  const waves: StepId[][] = [];
  for (const [step, { id }] of steps.entries()) {
    const wave = waveOf[step] ?? 0;
    (waves[wave] ??= []).push(id);
    for (const next of dependents[step] ?? []) waveOf[next] = Math.max(waveOf[next] ?? 0, wave + 1);
  }
  const longest = (some: readonly number[]): number | undefined =>
    some.reduce<number | undefined>(
      (best, step) => (best === undefined || (remainingMs[step] ?? 0) > (remainingMs[best] ?? 0) ? step : best),
      undefined,
    );
  const criticalPath: number[] = [];
  const first = [...steps.keys()].filter((step) => needs[step]?.length === 0);
  for (let step = longest(first); step !== undefined; step = longest(dependents[step] ?? [])) criticalPath.push(step);
  return { waves, criticalPath };
};
