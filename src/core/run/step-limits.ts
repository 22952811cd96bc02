/**
 * How many steps run at once: on the machine, of a kind, with a resource. Which limits a step counts against, and how large they are.
 * Pure; who counts is ready-queue.ts.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { PlanIntent, PlanStep, StepAction } from "../../model/plan.ts";
import { isForPeople } from "./skippable-steps.ts";

/** On one machine, where nothing is declared. */
export const stepsAtOnce = 8;

export type StepLimits = {
  /** Of each limit, how many steps it lets run at once. */
  readonly capacities: readonly number[];
  /** Indices of the limits that the step counts against. The first limit is the machine's. */
  readonly of: (id: StepId) => readonly number[];
};

/** @param byDefault steps at once on a machine of which nothing is declared */
export const stepLimits = (
  { declaration, steps }: Pick<PlanIntent, "declaration"> & { readonly steps: readonly PlanStep[] },
  byDefault = stepsAtOnce,
): StepLimits => {
  const { host, kinds = {}, resources = {} } = declaration.limits ?? {};
  const capacities = [host ?? byDefault];
  const add = (record: Readonly<Record<string, number>>): ReadonlyMap<string, number> =>
    new Map(Object.entries(record).map(([name, capacity]) => [name, capacities.push(capacity) - 1]));
  const ofKind = add(kinds);
  const ofResource = add(resources);
  const limitsOf = ({ action }: PlanStep): readonly number[] => {
    // Who waits for a person or for other steps keeps nobody from working.
    if (isForPeople(action.kind) || action.kind === "wait") return [];
    const kind = ofKind.get(action.kind);
    // No old side may go on acknowledging writes because another one is waited for, unless that is what was declared.
    if (action.kind === "isolate") return kind === undefined ? [] : [kind];
    const used = componentsOf(action, declaration).flatMap((name) => declaration.components[name]?.resources ?? []);
    const shared = [...new Set(used)].flatMap((name) => ofResource.get(name) ?? []);
    return [0, ...(kind === undefined ? [] : [kind]), ...shared];
  };
  const known = new Map(steps.map((step) => [step.id, limitsOf(step)]));
  return { capacities, of: (id) => known.get(id) ?? [] };
};

/** Components that a step reads or writes. */
const componentsOf = (action: StepAction, { invariants }: PlanIntent["declaration"]): readonly string[] => {
  if (action.kind === "check-invariant") {
    const { every = {}, in: within = {} } = invariants[action.invariant] ?? {};
    return [...Object.keys(every), ...Object.keys(within)];
  }
  return "component" in action ? [action.component] : [];
};
