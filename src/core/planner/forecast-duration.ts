/**
 * How long a step will take: as it took in earlier runs of the service, scaled by size where bytes are moved; else by size at a modest
 * rate; else by a default for its kind. The basis is said, so that nobody takes a guess for a measurement.
 */
import type { CapturedComponent } from "../../model/manifest.ts";
import type { PlanStep, StepForecast, StepKind } from "../../model/plan.ts";
import { parseDuration } from "../time/duration.ts";
import { holdsRows } from "./describe-step.ts";
import type { DurationSample } from "./planner-input.ts";

export type DurationForecast = {
  readonly likelyMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  readonly basis: StepForecast["basis"];
  /** Earlier runs that it rests on. */
  readonly runs: readonly number[];
};

const megabyte = 1_000_000;

/** Rates of modest machines with one disk: a first forecast should rather be beaten than missed. */
const rates = {
  restoreRows: 20 * megabyte,
  restoreFiles: 80 * megabyte,
  readBack: 200 * megabyte,
  capture: 60 * megabyte,
  lookThrough: 150 * megabyte,
} as const;

/** What remains when there is nothing to move: connecting, asking, starting. */
const fixedMs: Record<StepKind, number | null> = {
  capture: 1_000,
  provision: 5_000,
  teardown: 2_000,
  restore: 500,
  drop: 300,
  "save-lost": 1_500,
  check: 500,
  "check-invariant": 1_500,
  migrate: 5_000,
  try: 3_000,
  approve: null,
  manual: null,
  wait: 0,
  isolate: 5_000,
  hold: 300,
  fence: 1_000,
  switch: 500,
  retire: 1_000,
  reinstate: 500,
  start: 2_000,
  reload: 500,
  admit: 300,
  probe: 500,
  "check-used": 500,
};

/** Of a manual step: what its author expects. */
const declaredDuration = ({ action }: PlanStep): DurationForecast | null => {
  const takesMs = action.kind === "manual" && action.takes !== undefined ? parseDuration(action.takes) : undefined;
  if (takesMs === undefined) return null;
  return { likelyMs: takesMs, lowMs: takesMs / 2, highMs: takesMs * 3, basis: "default", runs: [] };
};

/** Null for steps whose time does not grow with the data. */
const bytesPerSecond = ({ action: { kind } }: PlanStep, captured: CapturedComponent | undefined): number | null => {
  if (kind === "restore") return holdsRows(captured) ? rates.restoreRows : rates.restoreFiles;
  if (kind === "check") return rates.readBack;
  // Its proof looks once at every row.
  if (kind === "retire") return holdsRows(captured) ? rates.lookThrough : null;
  // Every row of the old side is looked at once; of files only names, sizes and times are.
  if (kind === "save-lost") return holdsRows(captured) ? rates.lookThrough : null;
  return kind === "capture" ? rates.capture : null;
};

const median = (sorted: readonly number[]): number => {
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? 0;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? upper) + upper) / 2 : upper;
};

/** Too little to tell a rate from the cost of beginning. */
const smallestScaledBytes = 10 * megabyte;

const scaled = (sample: DurationSample, sizeBytes: number | undefined): number =>
  sizeBytes === undefined ||
  sample.sizeBytes === undefined ||
  Math.min(sample.sizeBytes, sizeBytes) < smallestScaledBytes
    ? sample.durationMs
    : sample.durationMs * (sizeBytes / sample.sizeBytes);

/** Newer runs say more about today's machine; older ones than these are left out. */
const samplesUsed = 10;

/**
 * @param sizeBytes that the step moves, when it moves any
 * @param history of this step
 */
export const forecastDuration = (
  step: PlanStep,
  captured: CapturedComponent | undefined,
  sizeBytes: number | undefined,
  history: readonly DurationSample[],
): DurationForecast | null => {
  const fixed = fixedMs[step.action.kind];
  // A person decides: how long that took before says nothing of tonight.
  if (fixed === null) return declaredDuration(step);
  const samples = history.toSorted((a, b) => b.run - a.run).slice(0, samplesUsed);
  const sorted = samples.map((sample) => scaled(sample, sizeBytes)).toSorted((a, b) => a - b);
  const [lowest] = sorted;
  const highest = sorted.at(-1);
  if (lowest !== undefined && highest !== undefined) {
    const alone = sorted.length === 1;
    return {
      likelyMs: median(sorted),
      lowMs: alone ? lowest * 0.8 : lowest,
      highMs: alone ? highest * 1.5 : highest,
      basis: "runs",
      runs: samples.map(({ run }) => run),
    };
  }
  const rate = bytesPerSecond(step, captured);
  if (rate === null || sizeBytes === undefined)
    return { likelyMs: fixed, lowMs: fixed / 2, highMs: fixed * 3, basis: "default", runs: [] };
  const likelyMs = fixed + (sizeBytes / rate) * 1_000;
  return { likelyMs, lowMs: likelyMs / 3, highMs: likelyMs * 2, basis: "size", runs: [] };
};
