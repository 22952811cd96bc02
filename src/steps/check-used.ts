/**
 * check-used: what a component of the new side uses while it runs is asked, behind its stable name, what is declared of it. An edge of this kind
 * orders nothing, and the used one was not recovered for its sake: that it does not answer is told, and takes nothing back.
 */
import { componentAnswers } from "../core/components/live-answers.ts";
import { toJsonObject } from "../model/json.ts";
import {
  type MakeHandler,
  declarationOf,
  noIntent,
  nothing,
  presenceByOutput,
  stableView,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

export const createCheckUsedStep: MakeHandler<"check-used"> = (parts) => ({
  kind: "check-used",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const outcomes = await componentAnswers(
          declarationOf(context),
          context.action.component,
          access,
          context.signal,
        );
        return { kind: "done", output: toJsonObject({ outcomes }) };
      },
      stableView,
    ),

  compensate: nothing,
});
