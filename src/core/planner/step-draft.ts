/**
 * Collects the steps of a plan in an order in which each comes after all that it needs, and leaves only the needs that say something.
 * Costs time in proportion to the needs that are given, so that a plan of many thousand components is no matter of minutes.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { Phase, PlanStep, StepAction } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { stepIdOf } from "./step-id.ts";

type WaitsFor = Extract<StepAction, { kind: "wait" }>["for"];

export type StepDraft = {
  /** @throws RefloatError bug if a need has not been added yet: the planner would make a cycle */
  readonly add: (phase: Phase, action: StepAction, needs: Iterable<StepId>) => StepId;
  readonly all: () => readonly StepId[];
  /**
   * What stands for all that was added so far, for steps that need all of it. Where many steps wait for many, that is one step that
   * waits for them all, or the plan would name each with each.
   * @param followers how many steps will need it
   */
  readonly gate: (phase: Phase, waitsFor: WaitsFor, followers: number) => readonly StepId[];
  /** The steps with the transitive reduction of their needs, so that waves and the critical path print without noise. */
  readonly steps: () => PlanStep[];
};

/** More needs than these between two groups of steps are replaced by a step that waits. */
const mostNeedsBetween = 4096;

export const createStepDraft = (): StepDraft => {
  const steps: PlanStep[] = [];
  const position = new Map<StepId, number>();
  /** Steps that no other one needs: they stand for all. */
  const last = new Set<StepId>();

  const add = (phase: Phase, action: StepAction, needs: Iterable<StepId>): StepId => {
    const id = stepIdOf(action);
    if (position.has(id)) throw new RefloatError("bug", `the planner adds step ${id} twice`);
    const asked = [...new Set(needs)];
    for (const need of asked) {
      if (!position.has(need)) throw new RefloatError("bug", `the planner lets ${id} need ${need} before it is there`);
    }
    const kept = asked.length === steps.length ? [...last] : withoutImplied(asked, steps, position);
    for (const need of kept) last.delete(need);
    position.set(id, steps.length);
    last.add(id);
    steps.push({ id, phase, needs: kept.sort(), action });
    return id;
  };

  const gate: StepDraft["gate"] = (phase, waitsFor, followers) =>
    last.size * followers > mostNeedsBetween ? [add(phase, { kind: "wait", for: waitsFor }, last)] : [...last];

  return { add, all: () => steps.map(({ id }) => id), gate, steps: () => [...steps] };
};

/** Those of the asked steps that no other one of them needs already, directly or not: found by going back from each no further than to the first. */
const withoutImplied = (
  asked: readonly StepId[],
  steps: readonly PlanStep[],
  position: ReadonlyMap<StepId, number>,
): StepId[] => {
  if (asked.length < 2) return [...asked];
  const positionOf = (id: StepId): number => position.get(id) ?? 0;
  const first = asked.reduce((least, id) => Math.min(least, positionOf(id)), steps.length);
  const implied = new Set<StepId>();
  const open = [...asked];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    // A step comes after all that it needs: from the first one there is nowhere to go, however many needs it has.
    if (positionOf(id) <= first) continue;
    for (const need of steps[positionOf(id)]?.needs ?? []) {
      if (implied.has(need)) continue;
      implied.add(need);
      open.push(need);
    }
  }
  return asked.filter((id) => !implied.has(id));
};
