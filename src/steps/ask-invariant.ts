/** Asks an invariant of the components as a step sees them: alone, or while an application runs that answers it. */
import type { ComponentAccess } from "../core/components/component-access.ts";
import { checkInvariant } from "../core/invariants/check-invariant.ts";
import type { StepContext } from "../core/ports/engine.ts";
import type { InvariantDeclaration } from "../model/declaration.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { StepParts } from "./step-bench.ts";

export type AskedInvariant = {
  readonly outcome: CheckOutcome;
  /** It failed, and that it may was accepted when the recovery was planned. */
  readonly accepted: boolean;
};

export const declaredInvariant = ({ plan }: StepContext, name: string): InvariantDeclaration => {
  const declared = plan.declaration.invariants[name];
  if (declared === undefined) throw new RefloatError("bug", `the plan checks invariant ${name}, which is not declared`);
  return declared;
};

/** @throws RefloatError where it cannot be asked */
export const askInvariant = async (
  { clock }: Pick<StepParts, "clock">,
  context: StepContext,
  access: ComponentAccess,
  name: string,
): Promise<AskedInvariant> => {
  const outcome = await checkInvariant(name, declaredInvariant(context, name), access, clock);
  if (outcome.status !== "failed" || context.plan.acceptBroken?.includes(name) !== true)
    return { outcome, accepted: false };
  return {
    outcome: { ...outcome, found: `${outcome.found}; accepted: they are of what came after the point` },
    accepted: true,
  };
};

/** All of them, one after the other. @returns the outcomes, and those that speak against going on */
export const askInvariants = async (
  parts: Pick<StepParts, "clock">,
  context: StepContext,
  access: ComponentAccess,
  names: readonly string[] = [],
): Promise<{ readonly outcomes: readonly CheckOutcome[]; readonly failed: readonly CheckOutcome[] }> => {
  const asked: AskedInvariant[] = [];
  for (const name of names) asked.push(await askInvariant(parts, context, access, name));
  return {
    outcomes: asked.map(({ outcome }) => outcome),
    failed: asked.flatMap(({ outcome, accepted }) => (outcome.status === "failed" && !accepted ? [outcome] : [])),
  };
};
