/** Drives a run towards its end: begins what is ready, the longest way first, and stops all when one step cannot be done. */
import { ReadyQueue } from "../core/run/ready-queue.ts";
import { hasCutoverBegun } from "../core/run/resume-rules.ts";
import { isForPeople, maySkip } from "../core/run/skippable-steps.ts";
import { schedulingOf } from "../core/run/scheduling.ts";
import { stepLimits } from "../core/run/step-limits.ts";
import type { StepId } from "../model/identifiers.ts";
import { bringAbout } from "./bring-about.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { JointLane, Unmet } from "./joint-lanes.ts";
import type { LiveRun } from "./live-run.ts";
import type { StepEnvironment, StepError } from "./step-environment.ts";
import { describeSkip } from "./run-words.ts";
import { watchPause } from "./watch-pause.ts";
import { workThrough } from "./work-through.ts";

export type ForwardEnd =
  | { readonly kind: "succeeded" }
  | { readonly kind: "waiting"; readonly message: string }
  | { readonly kind: "interrupted" }
  /** Other runs, which it waits for, have ended without what it needs. */
  | { readonly kind: "unmet"; readonly on: readonly Unmet[] }
  /** Before anything live was changed there was no reason left to change it. */
  | { readonly kind: "called-off"; readonly why: string }
  | { readonly kind: "failed"; readonly step: StepId; readonly error: StepError };

/** For steps of which nobody knows how long they take. */
const assumedDurationMs = 1000;

export type ForwardOptions = {
  /**
   * Called once, when all before the cutover is done and nothing of it has begun.
   * @returns why there is to be no cutover; null where it is to be
   */
  readonly beforeCutover: () => Promise<string | null>;
  /** Of a run that is executed together with others: where its steps are taken from. Those that are left were asked for beforehand. */
  readonly lane?: JointLane;
};

export const goForward = async (
  live: LiveRun,
  environment: StepEnvironment,
  external: AbortSignal,
  { beforeCutover, lane }: ForwardOptions,
): Promise<ForwardEnd> => {
  const failed = new AbortController();
  const stop = AbortSignal.any([external, failed.signal]);
  const queue = lane ?? queueOf(live, environment, await stepsLeft(live));
  let calledOff: string | null = null;
  const pause = watchPause(live, environment, () => !hasCutoverBegun(live.record, live.graph));
  const failures: { readonly step: StepId; readonly error: StepError }[] = [];
  const waiting: string[] = [];
  const worked = workThrough({
    queue,
    mayBegin: () => !stop.aborted && pause.held() === null && calledOff === null,
    stop: AbortSignal.any([stop, pause.signal]),
    atStage: async (stage) => {
      if (stage > 0 && !hasCutoverBegun(live.record, live.graph)) calledOff = await beforeCutover();
    },
    onBroken: () => failed.abort(),
    work: async (id) => {
      const step = live.graph.steps.get(id);
      if (step === undefined) return { complete: true };
      const isPersons = isForPeople(step.action.kind);
      const end = await bringAbout(live, step, environment, isPersons ? AbortSignal.any([stop, pause.signal]) : stop);
      if (end.kind === "waiting") waiting.push(end.message);
      if (end.kind === "failed") {
        failures.push({ step: id, error: end.error });
        failed.abort();
      }
      if (end.kind === "done") return { complete: true, durable: end.durable };
      return { complete: end.kind === "skipped" };
    },
  });
  await worked.finally(() => pause.stop());
  const [first] = failures;
  if (first !== undefined) return { kind: "failed", ...first };
  if (queue.stage === null) return { kind: "succeeded" };
  if (external.aborted) return { kind: "interrupted" };
  const held = pause.held();
  if (held !== null) waiting.push(`${held}; refloat resume ${live.number} goes on`);
  if (calledOff !== null) return { kind: "called-off", why: calledOff };
  const unmet = lane?.unmet() ?? [];
  if (waiting.length === 0 && unmet.length > 0) return { kind: "unmet", on: unmet };
  if (waiting.length === 0) throw new RefloatError("bug", `run ${live.number} came to a halt with nothing to wait for`);
  return { kind: "waiting", message: waiting.join("; ") };
};

/** The steps that the run still has to go through; what people have said to leave out is left out first. */
export const stepsLeft = async (live: LiveRun): Promise<ReadonlySet<StepId>> => {
  await skipAsAsked(live);
  return new Set(live.record.steps.filter(({ state }) => !isComplete(state)).map(({ id }) => id));
};

export const expectedMs = (live: LiveRun, id: StepId): number =>
  live.plan.forecast.steps[id]?.durationMs ?? assumedDurationMs;

const queueOf = (live: LiveRun, environment: StepEnvironment, steps: ReadonlySet<StepId>): ReadyQueue => {
  const { intent } = live.plan;
  return new ReadyQueue({
    graph: live.graph,
    steps,
    order: "forward",
    limits: stepLimits(intent, environment.limits.concurrency),
    ...schedulingOf(intent, live.graph, (id) => expectedMs(live, id)),
  });
};

/** Steps of which a person has said since that they are not needed. */
const skipAsAsked = async (live: LiveRun): Promise<void> => {
  for (const { id, state } of live.record.steps) {
    const kind = live.graph.steps.get(id)?.action.kind;
    if (kind === undefined || !maySkip(kind) || isComplete(state)) continue;
    const word = await live.words.skip(id);
    if (word === null) continue;
    await live.recordStep(id, "skipped", { error: { code: "step.skipped", message: describeSkip(word) } });
    await live.warn(`${id} was ${describeSkip(word)}`);
  }
};

const isComplete = (state: string): boolean => ["done", "skipped", "cancelled"].includes(state);
