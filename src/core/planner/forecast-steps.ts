/** Puts durations, waves and totals on the steps of a plan. */
import type { StepId } from "../../model/identifiers.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { PlanForecast, PlanStep, StepForecast } from "../../model/plan.ts";
import { NumberedQueue, type StepTimes } from "../run/numbered-queue.ts";
import { type PlannedSpan, type SimulatedRun, layOutRun, simulateQueue, timesOf } from "../run/scheduling.ts";
import { buildStepGraph } from "../run/step-graph.ts";
import { type DescriptionFacts, describeStep } from "./describe-step.ts";
import { type DurationForecast, forecastDuration } from "./forecast-duration.ts";
import { planShape } from "./plan-shape.ts";
import type { DurationSample } from "./planner-input.ts";

export type StepsForecast = Pick<PlanForecast, "waves" | "criticalPath" | "steps" | "totalMs" | "heldMs">;

/** Components as a point has them: how much there is to move, read or look through. */
type Captured = Readonly<Record<string, CapturedComponent>>;

const sizeOf = ({ action }: PlanStep, captured: Captured): number | undefined =>
  action.kind === "restore" || action.kind === "check" || action.kind === "save-lost" || action.kind === "retire"
    ? captured[action.component]?.sizeBytes
    : undefined;

const capturedOf = (step: PlanStep, captured: Captured) =>
  "component" in step.action ? captured[step.action.component] : undefined;

/** @param sized components to reckon with, where the plan itself restores nothing */
export const forecastSteps = (
  steps: readonly PlanStep[],
  facts: DescriptionFacts,
  history: readonly DurationSample[],
  sized: Captured = facts.captured,
): StepsForecast => {
  const samples = Map.groupBy(history, ({ step }) => step);
  const durations = new Map<StepId, DurationForecast | null>();
  const forecasts: Record<string, StepForecast> = {};
  for (const step of steps) {
    const earlier = samples.get(step.id) ?? [];
    const duration = forecastDuration(step, capturedOf(step, sized), sizeOf(step, sized), earlier);
    durations.set(step.id, duration);
    forecasts[step.id] = stepForecast(step, facts, duration);
  }
  const graph = buildStepGraph(steps);
  const layout = layOutRun({ declaration: facts.service, steps }, graph);
  const inOrder = layout.ids.map((id) => durations.get(id) ?? null);
  const timesBy = (part: Part): StepTimes => timesOf(layout, (_id, step) => inOrder[step]?.[part] ?? 0);
  const simulate = (times: StepTimes): SimulatedRun => simulateQueue(new NumberedQueue(layout, times));
  const times = timesBy("likelyMs");
  const { waves, criticalPath } = planShape(graph, layout, times);
  const sum = (part: Part): number => criticalPath.reduce((total, id) => total + (durations.get(id)?.[part] ?? 0), 0);
  const likely = simulate(times);
  // Only where limits keep steps waiting does the run take longer than its critical path.
  const isLimited = likely.endMs > sum("likelyMs") + 1;
  const total = (part: "lowMs" | "highMs"): number => Math.round(isLimited ? simulate(timesBy(part)).endMs : sum(part));
  const cutover = steps.flatMap(({ id, phase }) => (phase === "cutover" ? (likely.spanOf(id) ?? []) : []));
  const measured = new Set([...durations.values()].flatMap((duration) => duration?.runs ?? []));
  return {
    waves,
    criticalPath,
    steps: forecasts,
    totalMs: {
      likely: Math.round(isLimited ? likely.endMs : sum("likelyMs")),
      low: total("lowMs"),
      high: total("highMs"),
      runs: measured.size,
    },
    heldMs: cutover.length === 0 ? 0 : Math.round(endOf(cutover) - beginOf(cutover)),
  };
};

type Part = "likelyMs" | "lowMs" | "highMs";

const endOf = (spans: Iterable<PlannedSpan>): number => {
  let end = 0;
  for (const { toMs } of spans) end = Math.max(end, toMs);
  return end;
};

const beginOf = (spans: Iterable<PlannedSpan>): number => {
  let begin = Number.POSITIVE_INFINITY;
  for (const { fromMs } of spans) begin = Math.min(begin, fromMs);
  return begin;
};

const stepForecast = (step: PlanStep, facts: DescriptionFacts, duration: DurationForecast | null): StepForecast => {
  const sizeBytes = sizeOf(step, facts.captured);
  const { action } = step;
  const detail = action.kind === "provision" ? (facts.provisions?.[action.provision]?.detail ?? []) : [];
  return {
    ...describeStep(action, facts),
    ...(detail.length === 0 ? {} : { detail: [...detail] }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    durationMs: duration === null ? null : Math.round(duration.likelyMs),
    basis: duration?.basis ?? "unknown",
  };
};
