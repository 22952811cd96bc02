/** Drives a run towards its end: begins what is ready, the longest way first, and stops all when one step cannot be done. */
import { ReadyQueue } from "../core/run/ready-queue.ts";
import { hasCutoverBegun } from "../core/run/resume-rules.ts";
import { isForPeople, maySkip } from "../core/run/skippable-steps.ts";
import { schedulingOf } from "../core/run/scheduling.ts";
import { stepLimits } from "../core/run/step-limits.ts";
import type { StepId } from "../model/identifiers.ts";
import { bringAbout } from "./bring-about.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { LiveRun } from "./live-run.ts";
import type { StepEnvironment, StepError } from "./step-environment.ts";
import { describeSkip } from "./run-words.ts";
import { watchPause } from "./watch-pause.ts";
import { workThrough } from "./work-through.ts";

export type ForwardEnd =
  | { readonly kind: "succeeded" }
  | { readonly kind: "waiting"; readonly message: string }
  | { readonly kind: "interrupted" }
  | { readonly kind: "failed"; readonly step: StepId; readonly error: StepError };

/** For steps of which nobody knows how long they take. */
const assumedDurationMs = 1000;

/** @param beforeCutover called once, when all before the cutover is done and nothing of it has begun */
export const goForward = async (
  live: LiveRun,
  environment: StepEnvironment,
  external: AbortSignal,
  beforeCutover: () => Promise<void>,
): Promise<ForwardEnd> => {
  const failed = new AbortController();
  const stop = AbortSignal.any([external, failed.signal]);
  await skipAsAsked(live);
  const todo = new Set(live.record.steps.filter(({ state }) => !isComplete(state)).map(({ id }) => id));
  const { intent } = live.plan;
  const durationMs = (id: StepId): number => live.plan.forecast.steps[id]?.durationMs ?? assumedDurationMs;
  const queue = new ReadyQueue({
    graph: live.graph,
    steps: todo,
    order: "forward",
    limits: stepLimits(intent, environment.limits.concurrency),
    ...schedulingOf(intent, live.graph, durationMs),
  });
  const pause = watchPause(live, environment, () => !hasCutoverBegun(live.record, live.graph));
  const failures: { readonly step: StepId; readonly error: StepError }[] = [];
  const waiting: string[] = [];
  const worked = workThrough({
    queue,
    mayBegin: () => !stop.aborted && pause.held() === null,
    atStage: async (stage) => {
      if (stage > 0 && !hasCutoverBegun(live.record, live.graph)) await beforeCutover();
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
  if (waiting.length === 0) throw new RefloatError("bug", `run ${live.number} came to a halt with nothing to wait for`);
  return { kind: "waiting", message: waiting.join("; ") };
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
