/**
 * A run as it is watched: folds the plan and the events of a run into what a picture of it needs. Pure: the same events give the same view;
 * time is that of the events, and `now` is given by who asks.
 */
import type { RunNumber, StepId } from "../../model/identifiers.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Plan } from "../../model/plan.ts";
import type { Progress, RunEvent, RunRecord, RunState, StepRecord, StepState } from "../../model/run.ts";
import { type StepGraph, buildStepGraph, remainingPathMs } from "../run/step-graph.ts";

export type StepView = {
  readonly id: StepId;
  readonly state: StepState;
  readonly attempt: number;
  /** When the attempt under way began, ISO. */
  readonly beganAt: string | null;
  /** Of what is done: measured by the engine. */
  readonly durationMs: number | null;
  readonly progress: Progress | null;
  /** Smoothed over the last few words of progress; null before there are two. */
  readonly bytesPerSecond: number | null;
  readonly output: JsonObject | null;
  readonly error: StepRecord["error"];
};

export type RunView = {
  readonly plan: Plan;
  readonly run: RunNumber | null;
  readonly state: RunState;
  /** What was said of the run last: a reason, a note. */
  readonly message: string | null;
  readonly beganAt: string | null;
  readonly steps: ReadonlyMap<StepId, StepView>;
  readonly graph: StepGraph;
  /** When the last progress of each running step came, for rates. */
  readonly heardAt: ReadonlyMap<StepId, string>;
};

const pendingStep = (id: StepId): StepView => ({
  id,
  state: "pending",
  attempt: 0,
  beganAt: null,
  durationMs: null,
  progress: null,
  bytesPerSecond: null,
  output: null,
  error: null,
});

/** @param record of a run that is taken up again; null for one that has just been planned */
export const beginRunView = (plan: Plan, record: RunRecord | null): RunView => {
  const known = new Map(record?.steps.map((step) => [step.id, step]));
  const steps = plan.intent.steps.map(({ id }): [StepId, StepView] => {
    const step = known.get(id);
    if (step === undefined) return [id, pendingStep(id)];
    const { state, attempt, beganAt, durationMs, output, error } = step;
    return [id, { ...pendingStep(id), state, attempt, beganAt, durationMs, output, error }];
  });
  return {
    plan,
    run: record?.number ?? null,
    state: record?.state ?? "running",
    message: record?.message ?? null,
    beganAt: record?.beganAt ?? null,
    steps: new Map(steps),
    graph: buildStepGraph(plan.intent.steps),
    heardAt: new Map(),
  };
};

export const advanceRunView = (view: RunView, event: RunEvent): RunView => {
  const known = { ...view, run: event.run, beganAt: view.beganAt ?? event.at };
  switch (event.type) {
    case "run":
      return { ...known, state: event.state, message: event.message ?? null };
    case "word":
      return known;
    case "step":
      return withStep(known, event.step, (step) => afterStepEvent(step, event));
    case "progress":
      return {
        ...withStep(known, event.step, (step) => afterProgress(step, event, view.heardAt.get(event.step))),
        heardAt: new Map(view.heardAt).set(event.step, event.at),
      };
    default:
      return event satisfies never;
  }
};

/** An event of a step that the plan has not is of a plan of another version: it is left out, not a reason to stop watching. */
const withStep = (view: RunView, id: StepId, change: (step: StepView) => StepView): RunView => {
  const step = view.steps.get(id);
  return step === undefined ? view : { ...view, steps: new Map(view.steps).set(id, change(step)) };
};

const afterStepEvent = (step: StepView, event: Extract<RunEvent, { type: "step" }>): StepView => {
  const begins = event.state === "running" || event.state === "compensating";
  const moving = begins ? { beganAt: event.at, progress: null, bytesPerSecond: null } : {};
  return {
    ...step,
    ...moving,
    state: event.state,
    attempt: event.attempt,
    durationMs: event.durationMs ?? step.durationMs,
    output: event.output === undefined ? step.output : event.output,
    error: event.error ?? (begins || event.state === "done" ? null : step.error),
  };
};

/** How much the newest measurement counts: fast enough to see a stall, slow enough not to flicker. */
const newestWeight = 0.3;

const afterProgress = (
  step: StepView,
  event: Extract<RunEvent, { type: "progress" }>,
  heardAt: string | undefined,
): StepView => {
  const { progress } = event;
  const before = step.progress?.bytesDone;
  const elapsedMs = heardAt === undefined ? 0 : Date.parse(event.at) - Date.parse(heardAt);
  // Less came in than before: another attempt or another part began, and a rate over both would be nonsense.
  if (progress.bytesDone === undefined || before === undefined || progress.bytesDone < before || elapsedMs <= 0)
    return { ...step, progress };
  const newest = ((progress.bytesDone - before) / elapsedMs) * 1000;
  const smoothed =
    step.bytesPerSecond === null ? newest : step.bytesPerSecond * (1 - newestWeight) + newest * newestWeight;
  return { ...step, progress, bytesPerSecond: smoothed };
};

const settled: ReadonlySet<StepState> = new Set(["done", "skipped", "cancelled", "compensated", "failed"]);

export const isRunning = ({ state }: StepView): boolean => state === "running" || state === "compensating";

/** Part of a step that is done, 0 to 1; null when it does not say. */
export const fractionDone = ({ progress }: StepView): number | null => {
  if (progress === null) return null;
  const { bytesDone, bytesTotal, itemsDone, itemsTotal } = progress;
  const part = (done: number | undefined, total: number | undefined): number | null =>
    done === undefined || total === undefined || total <= 0 ? null : Math.min(1, done / total);
  return part(bytesDone, bytesTotal) ?? part(itemsDone, itemsTotal);
};

/** Milliseconds that one step still needs: by what it has done so far, else by the forecast. A late one is not given up: a second more. */
export const stepRemainingMs = (view: RunView, step: StepView, now: string): number => {
  if (settled.has(step.state)) return 0;
  const forecastMs = view.plan.forecast.steps[step.id]?.durationMs ?? 0;
  if (!isRunning(step) || step.beganAt === null) return forecastMs;
  const elapsedMs = Math.max(0, Date.parse(now) - Date.parse(step.beganAt));
  const bytesLeft = (step.progress?.bytesTotal ?? 0) - (step.progress?.bytesDone ?? 0);
  if (step.bytesPerSecond !== null && step.bytesPerSecond > 0 && bytesLeft > 0)
    return (bytesLeft / step.bytesPerSecond) * 1000;
  const fraction = fractionDone(step);
  if (fraction !== null && fraction > 0.02) return (elapsedMs * (1 - fraction)) / fraction;
  return forecastMs === 0 ? 0 : Math.max(1000, forecastMs - elapsedMs);
};

/** Milliseconds to the end of the run, along the longest chain of what is left; a person's decision counts as nothing. */
export const runRemainingMs = (view: RunView, now: string): number => {
  const remaining = remainingPathMs(view.graph, (id) => {
    const step = view.steps.get(id);
    return step === undefined ? 0 : stepRemainingMs(view, step, now);
  });
  return Math.max(0, ...remaining.values());
};

/** The steps that are not done, those under way among them, along the chain that decides when the run ends. */
export const decidingPath = (view: RunView, now: string): readonly StepId[] => {
  const left = (id: StepId): number => {
    const step = view.steps.get(id);
    return step === undefined ? 0 : stepRemainingMs(view, step, now);
  };
  const remaining = remainingPathMs(view.graph, left);
  const waiting = view.graph.order.filter((id) => !settled.has(view.steps.get(id)?.state ?? "pending"));
  const longest = (ids: readonly StepId[]): StepId | undefined =>
    ids.reduce<StepId | undefined>(
      (best, id) => (best === undefined || (remaining.get(id) ?? 0) > (remaining.get(best) ?? 0) ? id : best),
      undefined,
    );
  const path: StepId[] = [];
  const open = new Set(waiting);
  const first = waiting.filter((id) => (view.graph.needs.get(id) ?? []).every((need) => !open.has(need)));
  for (
    let id = longest(first);
    id !== undefined;
    id = longest((view.graph.dependents.get(id) ?? []).filter((dependent) => open.has(dependent)))
  ) {
    path.push(id);
  }
  return path;
};
