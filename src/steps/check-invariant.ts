/** check-invariant: a declared link between two components, asked of the instances (or of what is kept). */
import { toJsonObject } from "../model/json.ts";
import { checkInvariant, invariantSide } from "../core/invariants/check-invariant.ts";
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
      if (outcome.status !== "failed") return { kind: "done", output: toJsonObject({ outcomes: [outcome] }) };
      if (context.plan.acceptBroken?.includes(name) === true) {
        const found = `${outcome.found}; accepted: they are of what came after the point`;
        return { kind: "done", output: toJsonObject({ outcomes: [{ ...outcome, found }] }) };
      }
      const output = toJsonObject({ outcomes: [outcome] });
      const sides = [invariant.every, invariant.in].map((side) => invariantSide(side).component);
      const isApart = sides.some((side) => !context.plan.scope.includes(side));
      const hint =
        "recover both sides; links to what came after the point can be accepted when planning: --accept-loss";
      return { kind: "failed", message: outcome.found, ...(isApart ? { hint } : {}), output };
    }),

  compensate: nothing,
});
