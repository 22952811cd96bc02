/** Drives a run towards its end: begins what is ready, the longest way first, and stops all when one step cannot be done. */
import { ReadyQueue } from "../core/run/ready-queue.ts";
import { hasCutoverBegun } from "../core/run/resume-rules.ts";
import { remainingPathMs } from "../core/run/step-graph.ts";
import type { StepId } from "../model/identifiers.ts";
import { bringAbout } from "./bring-about.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { LiveRun } from "./live-run.ts";
import type { StepEnvironment, StepError } from "./step-environment.ts";
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
  const todo = new Set(live.record.steps.filter(({ state }) => !isComplete(state)).map(({ id }) => id));
  const remaining = remainingPathMs(live.graph, (id) => live.plan.forecast.steps[id]?.durationMs ?? assumedDurationMs);
  const queue = new ReadyQueue({
    graph: live.graph,
    steps: todo,
    order: "forward",
    priority: (id) => remaining.get(id) ?? 0,
  });
  const failures: { readonly step: StepId; readonly error: StepError }[] = [];
  const waiting: string[] = [];
  await workThrough({
    queue,
    concurrency: environment.limits.concurrency,
    mayBegin: () => !stop.aborted,
    atStage: async (stage) => {
      if (stage > 0 && !hasCutoverBegun(live.record, live.graph)) await beforeCutover();
    },
    onBroken: () => failed.abort(),
    work: async (id) => {
      const step = live.graph.steps.get(id);
      if (step === undefined) return { complete: true };
      const end = await bringAbout(live, step, environment, stop);
      if (end.kind === "waiting") waiting.push(end.message);
      if (end.kind === "failed") {
        failures.push({ step: id, error: end.error });
        failed.abort();
      }
      return end.kind === "done" ? { complete: true, durable: end.durable } : { complete: false };
    },
  });
  const [first] = failures;
  if (first !== undefined) return { kind: "failed", ...first };
  if (queue.stage === null) return { kind: "succeeded" };
  if (external.aborted) return { kind: "interrupted" };
  if (waiting.length === 0) throw new RefloatError("bug", `run ${live.number} came to a halt with nothing to wait for`);
  return { kind: "waiting", message: waiting.join("; ") };
};

const isComplete = (state: string): boolean => ["done", "skipped", "cancelled"].includes(state);
