/**
 * Brings one step about: attempts with check before effect, retries with growing pauses, until it is done or cannot be. Each
 * attempt is journaled before any effect (T1) and after it (T2).
 */
import type { StepResult } from "../core/ports/engine.ts";
import { backoffMs } from "../core/run/failure-rules.ts";
import { hasBegun } from "../core/run/resume-rules.ts";
import type { PlanStep } from "../model/plan.ts";
import type { LiveRun } from "./live-run.ts";
import {
  type HandlerCall,
  type HandlerWork,
  type StepEnvironment,
  type StepError,
  callHandler,
  errorOf,
  handlerOf,
  keptByWait,
  outputOfWait,
  rulesOf,
} from "./step-environment.ts";

export type StepEnd =
  /** `durable` settles when that is journaled: before anything that is journaled after it. */
  | { readonly kind: "done"; readonly durable: Promise<void> }
  /** A person has said that it is not needed. */
  | { readonly kind: "skipped" }
  | { readonly kind: "failed"; readonly error: StepError }
  | { readonly kind: "waiting"; readonly message: string }
  /** Told to stop: it may be absent, partial or done. */
  | { readonly kind: "interrupted" };

/** @throws only what breaks the run: the journal, or a bug of the engine */
export const bringAbout = async (
  live: LiveRun,
  step: PlanStep,
  environment: StepEnvironment,
  stop: AbortSignal,
): Promise<StepEnd> => {
  const { clock } = environment;
  const rules = rulesOf(live, step, environment);
  for (let failures = 1; ; failures += 1) {
    const call: HandlerCall = { live, step, environment, attempt: live.step(step.id).attempt + 1 };
    const attempt = await makeAttempt(call, stop);
    if (attempt.kind !== "failed") return attempt;
    const isLast = !attempt.retryable || failures > rules.retriesAfter(attempt.error.code) || stop.aborted;
    const { error } = attempt;
    if (isLast) {
      await live.recordStep(step.id, attempt.operator ? "needs-operator" : "failed", { ...attempt.changes, error });
      return { kind: "failed", error };
    }
    await live.recordStep(step.id, "retry-wait", { ...attempt.changes, error });
    try {
      await clock.sleep(backoffMs(failures, rules.backoff), stop);
    } catch {
      return { kind: "interrupted" };
    }
  }
};

type AttemptEnd =
  | Exclude<StepEnd, { kind: "failed" }>
  | {
      readonly kind: "failed";
      readonly error: StepError;
      readonly retryable: boolean;
      readonly operator: boolean;
      readonly changes: Parameters<LiveRun["recordStep"]>[2];
    };

const makeAttempt = async (call: HandlerCall, stop: AbortSignal): Promise<AttemptEnd> => {
  const { live, step, environment } = call;
  const { clock } = environment;
  const beganMs = clock.monotonicMs();
  const end = await callHandler(call, stop, (...given) => perform(call, ...given), true);
  const before = live.step(step.id);
  const changes = {
    endedAt: clock.now().toISOString(),
    durationMs: before.durationMs + (clock.monotonicMs() - beganMs),
  };
  if (end.kind === "returned") {
    const result = end.value;
    switch (result.kind) {
      case "done":
        return { kind: "done", durable: live.recordDone(step.id, { ...changes, output: result.output, error: null }) };
      case "waiting":
        await live.recordStep(step.id, "waiting", {
          durationMs: changes.durationMs,
          ...(result.keep === undefined ? {} : { output: outputOfWait(result.keep) }),
        });
        return { kind: "waiting", message: result.message };
      case "skipped":
        await live.recordStep(step.id, "skipped", {
          ...changes,
          error: { code: "step.skipped", message: result.message },
        });
        return { kind: "skipped" };
      case "failed": {
        const { message, hint, output } = result;
        const error: StepError = { code: "step.check-failed", message, ...(hint === undefined ? {} : { hint }) };
        return { kind: "failed", error, retryable: false, operator: false, changes: { ...changes, output } };
      }
    }
  }
  const error = errorOf(end, call);
  if (stop.aborted || error === null) {
    // Before T1 nothing was begun and nothing is to be said; after it only `check` knows.
    if (before.state === "running") {
      await live.recordStep(step.id, "interrupted", { ...changes, error: error?.told ?? null });
    }
    return { kind: "interrupted" };
  }
  return { kind: "failed", error: error.told, retryable: error.retryable, operator: error.operator, changes };
};

/** One attempt: intent, T1, check, then only what is missing. The signal is asked wherever work that was given up could go on. */
const perform = async (
  { live, step, attempt, environment }: HandlerCall,
  ...[contextNow, signal, acts]: Parameters<HandlerWork<StepResult>>
): Promise<StepResult> => {
  const handler = handlerOf(environment, step);
  signal.throwIfAborted();
  const before = live.step(step.id);
  const intent = before.intent ?? (await handler.prepare(contextNow()));
  signal.throwIfAborted();
  await live.recordStep(step.id, "running", {
    attempt,
    intent,
    beganAt: hasBegun(before) ? before.beganAt : environment.clock.now().toISOString(),
    endedAt: null,
    error: null,
    // Kept for a step that is asked again and turns out to stand; what a failed check found is not an output to keep.
    output: before.state === "failed" ? null : before.output,
  });
  signal.throwIfAborted();
  await environment.guard.beforeEffect(live, step);
  const { presence, output } = await handler.check(contextNow());
  if (presence === "done") {
    const kept = live.step(step.id).output;
    return { kind: "done", output: (keptByWait(kept) === null ? kept : null) ?? output ?? {} };
  }
  if (presence === "partial") {
    signal.throwIfAborted();
    await handler.clear(contextNow());
  }
  signal.throwIfAborted();
  acts();
  return handler.apply(contextNow());
};
