/** check-invariant: a declared link between two components, asked of the instances (or of what is kept). */
import { toJsonObject } from "../model/json.ts";
import { checkInvariant } from "../core/invariants/check-invariant.ts";
import { RefloatError } from "../model/refloat-error.ts";
import {
  type MakeHandler,
  locateDuring,
  noIntent,
  nothing,
  presenceByOutput,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

export const createCheckInvariantStep: MakeHandler<"check-invariant"> = (parts) => ({
  kind: "check-invariant",
  timeoutMs: stepTimeoutMs.data,
  retries: 2,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { invariant: name } = context.action;
      const invariant = context.plan.declaration.invariants[name];
      if (invariant === undefined)
        throw new RefloatError("bug", `the plan checks invariant ${name}, which is not declared`);
      const outcome = await checkInvariant(name, invariant, access, locateDuring(context), parts.clock);
      const output = toJsonObject({ outcomes: [outcome] });
      return outcome.status === "failed"
        ? { kind: "failed", message: outcome.found, output }
        : { kind: "done", output };
    }),

  compensate: nothing,
});
