/** check-invariant: a declared link between two components, asked of the instances (or of what is kept). */
import { toJsonObject } from "../model/json.ts";
import { componentsAsked, sideOf } from "../core/invariants/invariant-sides.ts";
import { askInvariant, declaredInvariant } from "./ask-invariant.ts";
import { isUnwritten } from "./made-point.ts";
import { type MakeHandler, noIntent, nothing, presenceByOutput, stepTimeoutMs, withStep } from "./step-bench.ts";

export const createCheckInvariantStep: MakeHandler<"check-invariant"> = (parts) => ({
  kind: "check-invariant",
  timeoutMs: stepTimeoutMs.data,
  retries: 2,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { invariant: name, stage } = context.action;
      if (
        stage === "final" &&
        componentsAsked(declaredInvariant(context, name)).every((one) => isUnwritten(context, one))
      )
        return { kind: "done", output: { outcomes: [], kept: true } };
      const { outcome, accepted } = await askInvariant(parts, context, access, name);
      const output = toJsonObject({ outcomes: [outcome] });
      if (outcome.status !== "failed" || accepted) return { kind: "done", output };
      const { every, in: within } = declaredInvariant(context, name);
      const isApart = [every, within].map(sideOf).some((side) => !context.plan.scope.includes(side));
      const hint =
        "recover both sides; links to what came after the point can be accepted when planning: --accept-loss";
      return { kind: "failed", message: outcome.found, ...(isApart ? { hint } : {}), output };
    }),

  compensate: nothing,
});
