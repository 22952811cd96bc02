/**
 * check-used: what a component of the new side uses while it runs is asked, behind its stable name, what is declared of it. An edge of this kind
 * orders nothing, and the used one was not recovered for its sake: that it does not answer is told, and takes nothing back.
 */
import { componentAnswers } from "../core/components/live-answers.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { declaredRules } from "../core/run/step-rules.ts";
import { formatDuration, parseDuration } from "../core/time/duration.ts";
import { toJsonObject } from "../model/json.ts";
import {
  type Action,
  type MakeHandler,
  declarationOf,
  noIntent,
  nothing,
  presenceByOutput,
  stableView,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

/** Less than the step itself may take, whose end would be a failure of the run, with users on the new side. */
const askedForMs = ({ plan, step }: StepContext<Action<"check-used">>): number => {
  const declared = declaredRules(plan, step).timeout;
  const stepMs = (declared === undefined ? undefined : parseDuration(declared)) ?? stepTimeoutMs.server;
  return Math.round(stepMs * 0.8);
};

export const createCheckUsedStep: MakeHandler<"check-used"> = (parts) => ({
  kind: "check-used",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: async (context) => {
    const { component } = context.action;
    const limitMs = askedForMs(context);
    const limit = AbortSignal.timeout(limitMs);
    const signal = AbortSignal.any([context.signal, limit]);
    try {
      return await withStep(
        parts,
        { ...context, signal },
        async (access) => {
          const outcomes = await componentAnswers(declarationOf(context), component, access, signal);
          return { kind: "done", output: toJsonObject({ outcomes }) };
        },
        stableView,
      );
    } catch (error) {
      context.signal.throwIfAborted();
      if (!limit.aborted) throw error;
      const found = `did not answer within ${formatDuration(limitMs)}`;
      const outcome = { subject: component, kind: "used", component, status: "failed", found, durationMs: limitMs };
      return { kind: "done", output: toJsonObject({ outcomes: [outcome] }) };
    }
  },

  compensate: nothing,
});
