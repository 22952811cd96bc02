/** Puts durations, waves and totals on the steps of a plan. */
import type { CapturedComponent } from "../../model/manifest.ts";
import type { PlanForecast, PlanStep, StepForecast } from "../../model/plan.ts";
import { NumberedQueue, type StepTimes } from "../run/numbered-queue.ts";
import { type SimulatedRun, layOutRun, simulateQueue, timesOf } from "../run/scheduling.ts";
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
  const forecasts: Record<string, StepForecast> = {};
  const durations = steps.map((step) => {
    const earlier = samples.get(step.id) ?? none;
    const duration = forecastDuration(step, capturedOf(step, sized), sizeOf(step, sized), earlier);
    forecasts[step.id] = stepForecast(step, facts, duration);
    return duration;
  });
  const graph = buildStepGraph(steps);
  const { numbered } = graph;
  const layout = layOutRun({ declaration: facts.service, steps }, graph);
  const inOrder = numbered.places.map((place) => durations[place] ?? null);
  const timesBy = (part: Part): StepTimes => timesOf(layout, (_id, step) => inOrder[step]?.[part] ?? 0);
  const simulate = (times: StepTimes): SimulatedRun => simulateQueue(new NumberedQueue(layout, times));
  const times = timesBy("likelyMs");
  const { waves, criticalPath } = planShape(numbered, times);
  const sum = (part: Part): number => criticalPath.reduce((total, step) => total + (inOrder[step]?.[part] ?? 0), 0);
  const likely = simulate(times);
  // Only where limits keep steps waiting does the run take longer than its critical path.
  const isLimited = likely.endMs > sum("likelyMs") + 1;
  const total = (part: "lowMs" | "highMs"): number => Math.round(isLimited ? simulate(timesBy(part)).endMs : sum(part));
  const measured = new Set<number>();
  for (const duration of durations) for (const run of duration?.runs ?? none) measured.add(run);
  return {
    waves,
    criticalPath: criticalPath.flatMap((step) => graph.order[step] ?? []),
    steps: forecasts,
    totalMs: {
      likely: Math.round(isLimited ? likely.endMs : sum("likelyMs")),
      low: total("lowMs"),
      high: total("highMs"),
      runs: measured.size,
    },
    heldMs: Math.round(heldMs(numbered.steps, likely.fromMs, times.durationMs)),
  };
};

type Part = "likelyMs" | "lowMs" | "highMs";

const none: readonly never[] = [];

/** From the begin of the first step of the cutover to the end of the last one; 0 without any. Lists are by number. */
const heldMs = (steps: readonly PlanStep[], fromMs: Float64Array, durationMs: Float64Array): number => {
  let begin = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const [number, { phase }] of steps.entries()) {
    if (phase !== "cutover") continue;
    const from = fromMs[number] ?? 0;
    begin = Math.min(begin, from);
    end = Math.max(end, from + (durationMs[number] ?? 0));
  }
  return begin <= end ? end - begin : 0;
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
