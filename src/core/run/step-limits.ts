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
  /** Indices of the limits that the step counts against. The first limit is the machine's. Steps that share no resource share their lists. */
  readonly of: (step: PlanStep) => readonly number[];
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
  const kinds = new Map<StepAction["kind"], readonly number[]>();
  const limitsOfKind = (kind: StepAction["kind"]): readonly number[] => {
    const own = ofKind.get(kind);
    // No old side may go on acknowledging writes because another one is waited for, unless that is what was declared.
    return [...(kind === "isolate" ? [] : [0]), ...(own === undefined ? [] : [own])];
  };
  const declarationOf = declarationsOf(intents);
  const of = (step: PlanStep): readonly number[] => {
    const { action } = step;
    // Who waits for a person or for other steps keeps nobody from working.
    if (isForPeople(action.kind) || action.kind === "wait") return nothing;
    const known = kinds.get(action.kind) ?? limitsOfKind(action.kind);
    kinds.set(action.kind, known);
    const declaration = ofResource.size === 0 || action.kind === "isolate" ? undefined : declarationOf(step.id);
    if (declaration === undefined) return known;
    const used = componentsOf(action, declaration).flatMap((name) => declaration.components[name]?.resources ?? []);
    const shared = [...new Set(used)].flatMap((name) => ofResource.get(name) ?? []);
    return shared.length === 0 ? known : [...known, ...shared];
  };
  return { capacities, of };
};

const nothing: readonly number[] = [];

/** Whose step it is. */
const declarationsOf = (intents: readonly Limited[]): ((id: StepId) => Limited["declaration"] | undefined) => {
  const [only] = intents;
  if (intents.length === 1 && only !== undefined) return () => only.declaration;
  const known = new Map(intents.flatMap(({ declaration, steps }) => steps.map(({ id }) => [id, declaration])));
  return (id) => known.get(id);
};

/** Components that a step reads or writes. */
const componentsOf = (action: StepAction, { invariants }: PlanIntent["declaration"]): readonly string[] => {
  if (action.kind === "check-invariant") {
    const { every = {}, in: within = {} } = invariants[action.invariant] ?? {};
    return [...Object.keys(every), ...Object.keys(within)];
  }
  return "component" in action ? [action.component] : [];
};
