/** When each step of a plan would begin and end by its forecast, with nothing in its way: the planned half of a Gantt chart. Pure. */
import type { StepId } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import { buildStepGraph, stageOf } from "./step-graph.ts";

/** Milliseconds from the begin of the run. A person's decision counts as nothing. */
export type PlannedSpan = { readonly fromMs: number; readonly toMs: number };

export const plannedSchedule = ({ intent, forecast }: Plan): ReadonlyMap<StepId, PlannedSpan> => {
  const graph = buildStepGraph(intent.steps);
  const spans = new Map<StepId, PlannedSpan>();
  const stageEnds = [0, 0, 0];
  // By stage first: a step of a later one may stand early in the order, and begins when all of the stage before has ended.
  const inStages = ([0, 1, 2] as const).flatMap((stage) =>
    graph.order.filter((id) => stageOf(graph.steps.get(id)?.phase ?? "restore") === stage).map((id) => ({ id, stage })),
  );
  for (const { id, stage } of inStages) {
    const gate = stage === 0 ? 0 : Math.max(...stageEnds.slice(0, stage));
    const needs = (graph.needs.get(id) ?? []).map((need) => spans.get(need)?.toMs ?? 0);
    const fromMs = Math.max(gate, ...needs);
    const toMs = fromMs + (forecast.steps[id]?.durationMs ?? 0);
    spans.set(id, { fromMs, toMs });
    stageEnds[stage] = Math.max(stageEnds[stage] ?? 0, toMs);
  }
  return spans;
};
