/**
 * Within what limits a step is executed: those of its kind, unless the declaration or an edit of the run says otherwise. Pure.
 */
import type { PlanIntent, PlanStep } from "../../model/plan.ts";
import type { StepRules } from "../../model/step-rules.ts";
import type { StepHandler } from "../ports/engine.ts";
import { parseDuration } from "../time/duration.ts";
import type { BackoffLimits } from "./failure-rules.ts";

export type EffectiveRules = {
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** Of what is no attempt: to look whether a step's effect stands, to take it back. What is declared of attempts makes it no shorter. */
  readonly besidesMs: number;
  /** How long an attempt may act and show no progress; null where it need not show any. */
  readonly heartbeatMs: number | null;
  /** After how long without progress the run is warned; null where it need not show any. */
  readonly quietMs: number | null;
  /** How often an attempt is made again after an error of this code, which may pass. */
  readonly retriesAfter: (code: string) => number;
  readonly backoff: BackoffLimits;
};

type Declared = Pick<PlanIntent, "declaration">;

/** What was declared of the step, key by key: an edit of it comes before its own rules, these before those of its kind. */
export const declaredRules = ({ declaration }: Declared, { id, action, rules }: PlanStep): StepRules => ({
  ...declaration.steps?.[action.kind],
  ...declaration.steps?.[id],
  ...rules,
});

export const effectiveRules = (
  intent: Declared,
  step: PlanStep,
  defaults: Pick<StepHandler, "timeoutMs" | "retries" | "quietMs"> & { readonly backoff: BackoffLimits },
): EffectiveRules => {
  const rules = declaredRules(intent, step);
  const span = (text: string | undefined): number | null => (text === undefined ? null : (parseDuration(text) ?? null));
  const heartbeatMs = span(rules.heartbeat);
  const firstMs = span(rules.backoff?.first) ?? defaults.backoff.firstMs;
  const timeoutMs = span(rules.timeout) ?? defaults.timeoutMs;
  return {
    timeoutMs,
    besidesMs: Math.max(timeoutMs, defaults.timeoutMs),
    heartbeatMs,
    quietMs: heartbeatMs === null ? (defaults.quietMs ?? null) : null,
    retriesAfter: (code) => retriesAfter(rules.retries, code, defaults.retries),
    backoff: {
      firstMs,
      longestMs: Math.max(firstMs, span(rules.backoff?.longest) ?? defaults.backoff.longestMs),
    },
  };
};

const retriesAfter = (declared: StepRules["retries"], code: string, byDefault: number): number =>
  typeof declared === "number" ? declared : (declared?.[code] ?? declared?.["other"] ?? byDefault);

/** Of steps that may begin, the higher one does. */
export const priorityOf = (intent: Declared, step: PlanStep): number =>
  // Mostly nothing is declared of any, and of each of many thousand steps it is asked.
  intent.declaration.steps === undefined && step.rules === undefined ? 0 : (declaredRules(intent, step).priority ?? 0);
