/** check: the instance against the point's facts, then the component's own declared checks. */
import { toJsonObject } from "../model/json.ts";
import { describeOutcomes, failedChecks } from "../core/components/check-verdict.ts";
import { capturedFor, isUnwritten } from "./made-point.ts";
import {
  type MakeHandler,
  noIntent,
  nothing,
  presenceByOutput,
  restoredInstance,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

export const createCheckStep: MakeHandler<"check"> = (parts) => ({
  kind: "check",
  timeoutMs: stepTimeoutMs.data,
  retries: 2,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { component } = context.action;
      // Nothing was written since it was looked at.
      if (context.action.stage === "final" && isUnwritten(context, component))
        return { kind: "done", output: { outcomes: [], kept: true } };
      const captured = await capturedFor(parts, context, component);
      const driver = access.driver(component);
      const facts =
        captured === undefined
          ? []
          : await driver.instances.validate(
              await access.context(component),
              restoredInstance(context, component),
              captured.facts,
              context.plan.replays?.[component],
            );
      // A process cannot be asked before it runs: its checks belong to the steps that start it.
      const checks = driver.runtime === undefined ? await access.runChecks(component) : [];
      const outcomes = [...facts, ...checks];
      const failed = failedChecks(outcomes);
      const output = toJsonObject({ outcomes });
      if (failed.length > 0) {
        return {
          kind: "failed",
          message: `${component} is not what was captured: ${describeOutcomes(failed)}`,
          output,
        };
      }
      return { kind: "done", output };
    }),

  compensate: nothing,
});
