/**
 * On resume: asks the steps that are done whether their effect still stands, and puts back to pending those whose effect is
 * gone, with all that was done on top of it.
 */
import type { Presence } from "../core/ports/driver.ts";
import { backoffMs } from "../core/run/failure-rules.ts";
import { ReadyQueue } from "../core/run/ready-queue.ts";
import { actOnResume } from "../core/run/resume-rules.ts";
import { descendantsOf } from "../core/run/step-graph.ts";
import { stepLimits } from "../core/run/step-limits.ts";
import type { StepId } from "../model/identifiers.ts";
import type { PlanStep } from "../model/plan.ts";
import type { LiveRun } from "./live-run.ts";
import {
  type HandlerCall,
  type StepEnvironment,
  type StepError,
  callHandler,
  errorOf,
  handlerOf,
  rulesOf,
} from "./step-environment.ts";
import { workThrough } from "./work-through.ts";

export type AskEnd =
  | { readonly kind: "asked" }
  | { readonly kind: "interrupted" }
  /** A step could not be asked: nothing is known, so nothing may follow. */
  | { readonly kind: "unknown"; readonly step: StepId; readonly error: StepError };

export const askDoneSteps = async (
  live: LiveRun,
  environment: StepEnvironment,
  external: AbortSignal,
): Promise<AskEnd> => {
  const acts = actOnResume(live.record, live.graph, live);
  const asked = new Set([...acts].filter(([, act]) => act === "ask").map(([id]) => id));
  const given = new AbortController();
  const stop = AbortSignal.any([external, given.signal]);
  const gone = new Set<StepId>();
  let end: AskEnd = { kind: "asked" };
  await workThrough({
    queue: new ReadyQueue({
      graph: live.graph,
      steps: asked,
      order: "forward",
      limits: stepLimits(live.plan.intent, environment.limits.concurrency),
    }),
    mayBegin: () => !stop.aborted,
    atStage: async () => undefined,
    onBroken: () => given.abort(),
    work: async (id) => {
      const step = live.graph.steps.get(id);
      if (step === undefined) return { complete: true };
      const answer = await askOne(live, step, environment, stop);
      if (answer.kind === "known") {
        if (answer.presence !== "done") gone.add(id);
        return { complete: true };
      }
      if (answer.kind === "unknown" && end.kind === "asked") {
        end = { kind: "unknown", step: id, error: answer.error };
        given.abort();
      }
      return { complete: false };
    },
  });
  if (end.kind === "asked" && external.aborted) end = { kind: "interrupted" };
  if (end.kind === "asked") await putBack(live, gone, asked);
  return end;
};

type Answer =
  | { readonly kind: "known"; readonly presence: Presence }
  | { readonly kind: "unknown"; readonly error: StepError }
  | { readonly kind: "interrupted" };

const askOne = async (
  live: LiveRun,
  step: PlanStep,
  environment: StepEnvironment,
  stop: AbortSignal,
): Promise<Answer> => {
  const { clock } = environment;
  const handler = handlerOf(environment, step);
  const rules = rulesOf(live, step, environment);
  const call: HandlerCall = { live, step, environment, attempt: live.step(step.id).attempt };
  for (let failures = 1; ; failures += 1) {
    const end = await callHandler(call, stop, async (contextNow) => handler.check(contextNow()));
    if (end.kind === "returned") return { kind: "known", presence: end.value.presence };
    const error = errorOf(end, call);
    if (stop.aborted || error === null) return { kind: "interrupted" };
    if (!error.retryable || failures > rules.retriesAfter(error.told.code))
      return { kind: "unknown", error: error.told };
    try {
      await clock.sleep(backoffMs(failures, rules.backoff), stop);
    } catch {
      return { kind: "interrupted" };
    }
  }
};

/**
 * A step whose effect is gone loses its output. One that only stands on such a step keeps it, out of the handlers' sight: if
 * its own effect turns out to stand, what was journaled about it is still true.
 */
const putBack = async (live: LiveRun, gone: ReadonlySet<StepId>, asked: ReadonlySet<StepId>): Promise<void> => {
  for (const id of gone) {
    const message =
      live.graph.steps.get(id)?.action.kind === "approve"
        ? `what people have said to ${id} counts no more; it asks again`
        : `what ${id} had made is gone; it is made again`;
    const error: StepError = { code: "step.effect-gone", message };
    await live.recordStep(id, "pending", { error, output: null });
  }
  for (const id of descendantsOf(live.graph, gone)) {
    if (!asked.has(id) || gone.has(id)) continue;
    const error: StepError = { code: "step.effect-gone", message: `what ${id} stands on is made again` };
    await live.recordStep(id, "pending", { error });
  }
};
