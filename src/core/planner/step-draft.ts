/** Collects the steps of a plan in an order in which each comes after all that it needs, and leaves only the needs that say something. */
import type { StepId } from "../../model/identifiers.ts";
import type { Phase, PlanStep, StepAction } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { stepIdOf } from "./step-id.ts";

export type StepDraft = {
  /** @throws RefloatError bug if a need has not been added yet: the planner would make a cycle */
  readonly add: (phase: Phase, action: StepAction, needs: Iterable<StepId>) => StepId;
  readonly all: () => readonly StepId[];
  /** The steps with the transitive reduction of their needs, so that waves and the critical path print without noise. */
  readonly steps: () => PlanStep[];
};

export const createStepDraft = (): StepDraft => {
  const steps: PlanStep[] = [];
  /** By step: all that it needs, directly or not. */
  const ancestors = new Map<StepId, ReadonlySet<StepId>>();

  const add = (phase: Phase, action: StepAction, needs: Iterable<StepId>): StepId => {
    const id = stepIdOf(action);
    if (ancestors.has(id)) throw new RefloatError("bug", `the planner adds step ${id} twice`);
    const asked = [...new Set(needs)];
    const above = asked.map((need) => {
      const known = ancestors.get(need);
      if (known === undefined) throw new RefloatError("bug", `the planner lets ${id} need ${need} before it is there`);
      return known;
    });
    const implied = new Set(above.flatMap((set) => [...set]));
    steps.push({ id, phase, needs: asked.filter((need) => !implied.has(need)).sort(), action });
    ancestors.set(id, new Set([...asked, ...implied]));
    return id;
  };

  return { add, all: () => steps.map(({ id }) => id), steps: () => [...steps] };
};
