/** What the engine needs to call handlers, and what it gives them. */
import { shortId } from "../model/identifiers.ts";
import type { StepContext, StepHandler, StepHandlers } from "../core/ports/engine.ts";
import type { Clock, Log } from "../core/ports/environment.ts";
import { type EffectiveRules, effectiveRules } from "../core/run/step-rules.ts";
import { formatDuration } from "../core/time/duration.ts";
import { type JsonObject, jsonObjectSchema } from "../model/json.ts";
import type { PlanStep } from "../model/plan.ts";
import { type RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { StepRecord } from "../model/run.ts";
import type { TakeoverGuard } from "./takeover-guard.ts";
import { type WorkEnd, runBounded } from "./bounded-work.ts";
import type { LiveRun } from "./live-run.ts";
import { ProgressThrottle } from "./progress-throttle.ts";
import { watchPulse } from "./watch-pulse.ts";

export type EngineLimits = {
  /** How many steps run at once on a machine of which nothing is declared. */
  readonly concurrency: number;
  /** How long a step that was told to stop is waited for. */
  readonly graceMs: number;
  readonly progressIntervalMs: number;
  /** Pause before the first retry; doubles up to `longestRetryMs`. */
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  /** How long a hook may keep a run waiting. */
  readonly hookMs: number;
  /** How long traffic may be held to ask whether another machine has taken the run up. */
  readonly askMs: number;
  /** How often words of people are looked for. */
  readonly listenMs: number;
};

export type StepEnvironment = {
  readonly handlers: StepHandlers;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: EngineLimits;
  readonly guard: TakeoverGuard;
};

export type StepError = NonNullable<StepRecord["error"]>;

/** `refloat/42.8984525a/restore:db/1`: marks whatever an attempt starts. The uid tells two installations' run 42 apart. */
export const markerOf = (
  run: { readonly number: number; readonly uid: string },
  step: string,
  attempt: number,
): string => `refloat/${run.number}.${shortId(run.uid)}/${step}/${attempt}`;

/** The one place where the kind of an action and the type of its handler are brought together. */
export const handlerOf = ({ handlers }: StepEnvironment, step: PlanStep): StepHandler =>
  handlers[step.action.kind] as unknown as StepHandler;

export type HandlerCall = {
  readonly live: LiveRun;
  readonly step: PlanStep;
  readonly attempt: number;
  readonly environment: StepEnvironment;
};

/** What the step may take, by its kind, the declaration and what was edited. */
export const rulesOf = (live: LiveRun, step: PlanStep, environment: StepEnvironment): EffectiveRules => {
  const { limits } = environment;
  return effectiveRules(live.plan.intent, step, {
    ...handlerOf(environment, step),
    backoff: { firstMs: limits.firstRetryMs, longestMs: limits.longestRetryMs },
  });
};

/** The record of a step that waits has in the place of an output what its next attempt is to know. */
export const outputOfWait = (keep: JsonObject): JsonObject => ({ waited: keep });

export const keptByWait = (output: JsonObject | null): JsonObject | null => {
  const kept = jsonObjectSchema.safeParse(output?.["waited"]);
  return kept.success ? kept.data : null;
};

/** What a handler is given to do. `acts`: from here on it must show progress, where that is declared. */
export type HandlerWork<Result> = (
  contextNow: () => StepContext,
  signal: AbortSignal,
  acts: () => void,
) => Promise<Result>;

/**
 * Lets a handler do something within the limits of its step. Progress that it reports is told and never journaled.
 * @param isAttempt what is declared of attempts holds for it
 */
export const callHandler = async <Result>(
  call: HandlerCall,
  stop: AbortSignal,
  work: HandlerWork<Result>,
  isAttempt = false,
): Promise<WorkEnd<Result>> => {
  const { live, step, attempt, environment } = call;
  const { clock, limits } = environment;
  const throttle = new ProgressThrottle(clock, limits.progressIntervalMs, (progress) =>
    live.tell({ type: "progress", at: clock.now().toISOString(), run: live.number, step: step.id, progress }),
  );
  const rules = rulesOf(live, step, environment);
  const pulse = watchPulse(call, rules.quietMs);
  const log = withFields(environment.log, { run: live.number, step: step.id, attempt });
  let open = true;
  const end = await runBounded(
    (signal) => {
      const contextNow = (): StepContext => ({
        plan: live.plan.intent,
        step,
        action: step.action,
        run: { number: live.number, uid: live.uid, fromCopy: live.fromCopy },
        attempt,
        intent: live.step(step.id).intent ?? {},
        outputs: live.outputs,
        waited: keptByWait(live.step(step.id).output),
        intents: live.intents,
        clock,
        log,
        progress: (progress) => {
          // Work that is stuck and given up may still report.
          if (!open) return;
          pulse.beat(progress);
          throttle.report(progress);
        },
        words: () => live.words.ofStep(step.id),
        say: (word) => live.say({ ...word, step: step.id }),
        warn: (message) => live.warn(message),
        signal,
        marker: markerOf(live, step.id, attempt),
      });
      return work(contextNow, signal, pulse.demand);
    },
    {
      clock,
      timeoutMs: isAttempt ? rules.timeoutMs : rules.besidesMs,
      ...(rules.heartbeatMs === null ? {} : { heartbeat: { withinMs: rules.heartbeatMs, lastMs: pulse.lastMs } }),
      graceMs: limits.graceMs,
      stop,
    },
  );
  pulse.stop();
  throttle.flush();
  open = false;
  if (end.kind === "stuck") live.hasStuckWork = true;
  live.assertWhole();
  return end;
};

export type CallError = { readonly told: StepError; readonly retryable: boolean; readonly operator: boolean };

/** What ended a call other than its return, as an error to be journaled; null when it was only told to stop. */
export const errorOf = (
  end: Exclude<WorkEnd<unknown>, { kind: "returned" }>,
  { environment, step }: HandlerCall,
): CallError | null => {
  if (end.kind === "stopped") return null;
  if (end.kind === "timed-out") {
    const message = `${step.id} took longer than ${formatDuration(end.afterMs)}`;
    return { told: { code: "step.timeout", message }, retryable: true, operator: false };
  }
  if (end.kind === "stalled") {
    const message = `${step.id} showed no progress for ${formatDuration(end.afterMs)}`;
    return { told: { code: "step.stalled", message }, retryable: true, operator: false };
  }
  if (end.kind === "stuck") {
    const seconds = Math.ceil(environment.limits.graceMs / 1000);
    const message = `${step.id} was told to stop and had not after ${seconds} s; it may still act`;
    const told: StepError = { code: "step.stuck", message, hint: "end this process, then resume" };
    return { told, retryable: false, operator: true };
  }
  const error = toRefloatError(end.error);
  if (error.code === "bug") environment.log.warn(`bug in ${step.id}`, { error: stackOf(end.error) });
  return { told: tellable(error), retryable: error.retryable, operator: error.entry.kind === "operator" };
};

const tellable = (error: RefloatError): StepError => ({
  code: error.code,
  message: error.message,
  ...(error.hint === undefined ? {} : { hint: error.hint }),
});

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

const withFields = (log: Log, fields: Record<string, unknown>): Log => ({
  debug: (message, more) => log.debug(message, { ...fields, ...more }),
  info: (message, more) => log.info(message, { ...fields, ...more }),
  warn: (message, more) => log.warn(message, { ...fields, ...more }),
});
