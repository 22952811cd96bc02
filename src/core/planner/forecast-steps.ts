/** Puts durations, waves and totals on the steps of a plan. */
import type { StepId } from "../../model/identifiers.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { PlanForecast, PlanStep, StepForecast } from "../../model/plan.ts";
import { type DescriptionFacts, describeStep } from "./describe-step.ts";
import { type DurationForecast, forecastDuration } from "./forecast-duration.ts";
import { planShape } from "./plan-shape.ts";
import type { DurationSample } from "./planner-input.ts";

export type StepsForecast = Pick<PlanForecast, "waves" | "criticalPath" | "steps" | "totalMs" | "heldMs">;

/** Components as a point has them: how much there is to move, read or look through. */
type Captured = Readonly<Record<string, CapturedComponent>>;

const sizeOf = ({ action }: PlanStep, captured: Captured): number | undefined =>
  action.kind === "restore" || action.kind === "check" || action.kind === "save-lost"
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
  const { waves, criticalPath } = planShape(steps, (id) => durations.get(id)?.likelyMs ?? 0);
  const cutover = new Set(steps.filter(({ phase }) => phase === "cutover").map(({ id }) => id));
  const sum = (ids: readonly StepId[], part: "likelyMs" | "lowMs" | "highMs"): number =>
    Math.round(ids.reduce((total, id) => total + (durations.get(id)?.[part] ?? 0), 0));
  const measured = new Set([...durations.values()].flatMap((duration) => duration?.runs ?? []));
  return {
    waves,
    criticalPath,
    steps: forecasts,
    totalMs: {
      likely: sum(criticalPath, "likelyMs"),
      low: sum(criticalPath, "lowMs"),
      high: sum(criticalPath, "highMs"),
      runs: measured.size,
    },
    // The cutover begins when all before it is done, so its part of the critical path is its own longest chain.
    heldMs: sum(
      criticalPath.filter((id) => cutover.has(id)),
      "likelyMs",
    ),
  };
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
