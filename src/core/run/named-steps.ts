/** Steps by what a person types: the whole id, or what follows its first colon. */
import type { PlanStep } from "../../model/plan.ts";

/** More than one where the words fit several. */
export const namedSteps = (steps: readonly PlanStep[], typed: string): readonly PlanStep[] =>
  steps.filter(({ id }) => id === typed || id.slice(id.indexOf(":") + 1) === typed);
