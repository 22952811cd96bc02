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

type Limited = Pick<PlanIntent, "declaration"> & { readonly steps: readonly PlanStep[] };

/** @param byDefault steps at once on a machine of which nothing is declared */
export const stepLimits = (intent: Limited, byDefault = stepsAtOnce): StepLimits => jointLimits([intent], byDefault);

/** Of services that share a machine: what bears the same name is the same, and of two numbers the smaller one holds. Their steps' ids differ. */
export const jointLimits = (intents: readonly Limited[], byDefault = stepsAtOnce): StepLimits => {
  const declared = intents.map(({ declaration: { limits = {} } }) => limits);
  const hosts = declared.flatMap(({ host = [] }) => host);
  const capacities = [hosts.length === 0 ? byDefault : Math.min(...hosts)];
  const add = (records: readonly Readonly<Record<string, number>>[]): ReadonlyMap<string, number> => {
    const least = new Map<string, number>();
    for (const [name, capacity] of records.flatMap((record) => Object.entries(record)))
      least.set(name, Math.min(capacity, least.get(name) ?? capacity));
    return new Map([...least].map(([name, capacity]) => [name, capacities.push(capacity) - 1]));
  };
  const ofKind = add(declared.map(({ kinds = {} }) => kinds));
  const ofResource = add(declared.map(({ resources = {} }) => resources));
  const limitsOf = ({ action }: PlanStep, declaration: Limited["declaration"]): readonly number[] => {
    // Who waits for a person or for other steps keeps nobody from working.
    if (isForPeople(action.kind) || action.kind === "wait") return [];
    const kind = ofKind.get(action.kind);
    // No old side may go on acknowledging writes because another one is waited for, unless that is what was declared.
    if (action.kind === "isolate") return kind === undefined ? [] : [kind];
    const used = componentsOf(action, declaration).flatMap((name) => declaration.components[name]?.resources ?? []);
    const shared = [...new Set(used)].flatMap((name) => ofResource.get(name) ?? []);
    return [0, ...(kind === undefined ? [] : [kind]), ...shared];
  };
  const known = new Map(
    intents.flatMap(({ declaration, steps }) => steps.map((step) => [step.id, limitsOf(step, declaration)])),
  );
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
