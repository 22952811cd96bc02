/** teardown: what this run has made of what was only needed while it ran is removed. What it found there is not its own to remove. */
import type { StepContext } from "../core/ports/engine.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { ownerOf, wasFound } from "./provision.ts";
import {
  type Action,
  type MakeHandler,
  noIntent,
  nothing,
  ownOutput,
  stepId,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

const isLeft = (context: StepContext<Action<"teardown">>): boolean =>
  wasFound(context.intents.get(stepId(`provision:${context.action.provision}`)));

export const createTeardownStep: MakeHandler<"teardown"> = (parts) => ({
  kind: "teardown",
  timeoutMs: stepTimeoutMs.data,
  retries: 2,
  prepare: noIntent,

  check: (context) =>
    withStep(parts, context, async (access) => {
      const output = ownOutput(context);
      if (isLeft(context)) return output === undefined ? { presence: "absent" } : { presence: "done", output };
      const { driver, context: driverContext } = await access.provision(context.action.provision);
      const { presence } = await driver.inspect(driverContext);
      return presence === "absent"
        ? { presence: "done", output: output ?? { summary: "removed" } }
        : { presence: "absent" };
    }),

  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      if (isLeft(context)) return { kind: "done", output: { summary: "was there before, and stays" } };
      const { provision } = context.action;
      const { driver, context: driverContext } = await access.provision(provision);
      await driver.destroy(driverContext, ownerOf(context));
      const left = await driver.inspect(driverContext);
      if (left.presence !== "absent")
        throw new RefloatError(
          "target.failed",
          `${provision} was torn down without an error, and is still there: ${left.found}`,
        );
      return { kind: "done", output: { summary: "removed" } };
    }),

  /** What is gone is gone; it holds nothing that a recovery was for. */
  compensate: nothing,
});
