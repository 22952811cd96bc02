/** Takes the effect of one step back. Journaled before and after, so that a killed undo is gone on with. */
import { backoffMs } from "../core/run/failure-rules.ts";
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

export type TakenBack =
  | { readonly kind: "compensated" }
  | { readonly kind: "interrupted" }
  | { readonly kind: "needs-operator"; readonly error: StepError };

/** @throws only what breaks the run: the journal, or a bug of the engine */
export const takeBack = async (
  live: LiveRun,
  step: PlanStep,
  environment: StepEnvironment,
  stop: AbortSignal,
): Promise<TakenBack> => {
  const { clock } = environment;
  const handler = handlerOf(environment, step);
  const rules = rulesOf(live, step, environment);
  await live.recordStep(step.id, "compensating");
  const call: HandlerCall = { live, step, environment, attempt: live.step(step.id).attempt };
  for (let failures = 1; ; failures += 1) {
    const end = await callHandler(call, stop, async (contextNow) => {
      await environment.guard.beforeEffect(live, step);
      return handler.compensate(contextNow());
    });
    if (end.kind === "returned") {
      await live.recordStep(step.id, "compensated", { error: null });
      return { kind: "compensated" };
    }
    const error = errorOf(end, call);
    if (stop.aborted || error === null) {
      await live.recordStep(step.id, "interrupted", { error: error?.told ?? null });
      return { kind: "interrupted" };
    }
    if (!error.retryable || failures > rules.retriesAfter(error.told.code)) {
      await live.recordStep(step.id, "needs-operator", { error: error.told });
      return { kind: "needs-operator", error: error.told };
    }
    try {
      await clock.sleep(backoffMs(failures, rules.backoff), stop);
    } catch {
      await live.recordStep(step.id, "interrupted");
      return { kind: "interrupted" };
    }
  }
};
