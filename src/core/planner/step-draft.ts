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
  /** By position, positions of the needs. */
  const needed: (readonly number[])[] = [];
  /** By position: no other step needs this one. Those that none needs stand for all. */
  const isLast: boolean[] = [];
  let lastCount = 0;
  const last = (): readonly number[] => [...isLast.keys()].filter((at) => isLast[at]);
  const idsAt = (positions: readonly number[]): StepId[] => positions.flatMap((at) => steps[at]?.id ?? []);

  const add = (phase: Phase, action: StepAction, needs: Iterable<StepId>): StepId => {
    const id = stepIdOf(action);
    if (position.has(id)) throw new RefloatError("bug", `the planner adds step ${id} twice`);
    const given: number[] = [];
    for (const need of needs) {
      const at = position.get(need);
      if (at === undefined) throw new RefloatError("bug", `the planner lets ${id} need ${need} before it is there`);
      given.push(at);
    }
    const asked = given.length < 2 ? given : [...new Set(given)];
    const kept = asked.length === steps.length ? last() : withoutImplied(asked, needed);
    for (const need of kept) {
      if (isLast[need] === true) lastCount -= 1;
      isLast[need] = false;
    }
    position.set(id, steps.length);
    isLast.push(true);
    lastCount += 1;
    needed.push(kept);
    const ids = idsAt(kept);
    steps.push({ id, phase, needs: ids.length < 2 ? ids : ids.sort(), action });
    return id;
  };

  const gate: StepDraft["gate"] = (phase, waitsFor, followers) =>
    lastCount * followers > mostNeedsBetween
      ? [add(phase, { kind: "wait", for: waitsFor }, idsAt(last()))]
      : idsAt(last());

  return { add, all: () => steps.map(({ id }) => id), gate, steps: () => [...steps] };
};

/**
 * Those of the asked steps that no other one of them needs already, directly or not: found by going back from each no further than to the first.
 * Steps are named by their positions.
 */
const withoutImplied = (asked: readonly number[], needed: readonly (readonly number[])[]): readonly number[] => {
  if (asked.length < 2) return asked;
  const first = asked.reduce((least, at) => Math.min(least, at));
  const implied = new Set<number>();
  const open = [...asked];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    // A step comes after all that it needs: from the first one there is nowhere to go, however many needs it has.
    if (at <= first) continue;
    for (const need of needed[at] ?? []) {
      if (implied.has(need)) continue;
      implied.add(need);
      open.push(need);
    }
  }
  return asked.filter((at) => !implied.has(at));
};
