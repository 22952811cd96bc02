/**
 * The graph of a joint plan: the steps of all its parts, under ids that say whose they are, each part a lane with stages of its own. A step that
 * waits for a service needs all the last steps of that service's part. Pure.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import type { PlanIntent, PlanStep } from "../../model/plan.ts";
import { ReadyQueue } from "./ready-queue.ts";
import { schedulingBy } from "./scheduling.ts";
import { type StepGraph, buildStepGraph } from "./step-graph.ts";
import { jointLimits, stepsAtOnce } from "./step-limits.ts";
import { priorityOf } from "./step-rules.ts";

/** `identity/restore:accounts`; no name of a service has a slash. */
export const jointId = (service: string, step: StepId): StepId => `${service}/${step}` as StepId;

export const laneOf = (id: StepId): string => id.slice(0, id.indexOf("/"));

export const ownId = (id: StepId): StepId => id.slice(id.indexOf("/") + 1) as StepId;

type Part = Pick<PlanIntent, "service" | "declaration"> & { readonly steps: readonly PlanStep[] };

const lastSteps = ({ steps, service }: Part): readonly StepId[] => {
  const needed = new Set(steps.flatMap(({ needs }) => needs));
  return steps.filter(({ id }) => !needed.has(id)).map(({ id }) => jointId(service, id));
};

/** A service that is no part is waited for by nobody. */
const withJointIds = (parts: readonly Part[]): readonly Part[] => {
  const last = new Map(parts.map((part) => [part.service, lastSteps(part)]));
  return parts.map((part) => ({
    ...part,
    steps: part.steps.map((step) => ({
      ...step,
      id: jointId(part.service, step.id),
      needs: [
        ...step.needs.map((need) => jointId(part.service, need)),
        ...(step.after ?? []).flatMap((service) => last.get(service) ?? []),
      ],
    })),
  }));
};

/** By service: those that a step of its part waits for. */
export const waitsOf = ({ steps }: Pick<Part, "steps">): readonly string[] => [
  ...new Set(steps.flatMap(({ after = [] }) => after)),
];

const weights = { critical: 2, high: 1, normal: 0, low: -1 } as const satisfies Record<
  NonNullable<ServiceDeclaration["criticality"]>,
  number
>;

/** Far above any priority that a step may declare. */
const perWeight = 1_000_000_000;

/** By service. What a critical service waits for is as critical. */
const criticalities = (parts: readonly Part[]): ReadonlyMap<string, number> => {
  const found = new Map(parts.map((part) => [part.service, weights[part.declaration.criticality ?? "normal"]]));
  // As often as there are parts: the longest chain has no more.
  for (const _part of parts)
    for (const part of parts)
      for (const needed of waitsOf(part))
        found.set(needed, Math.max(found.get(needed) ?? weights.low, found.get(part.service) ?? 0) as 0);
  return found;
};

export type JointQueueOptions = {
  /** Steps to go through, by their joint ids; all when left out. */
  readonly steps?: ReadonlySet<StepId>;
  /** By joint id. */
  readonly durationMs: (id: StepId) => number;
  readonly concurrency?: number;
};

/** @throws RefloatError bug if the parts wait for each other */
export const jointQueue = (
  parts: readonly Part[],
  { steps, durationMs, concurrency = stepsAtOnce }: JointQueueOptions,
): { readonly graph: StepGraph; readonly queue: ReadyQueue } => {
  const named = withJointIds(parts);
  const graph = buildStepGraph(
    named.flatMap((part) => part.steps),
    laneOf,
  );
  const critical = criticalities(parts);
  const declarations = new Map(parts.map(({ service, declaration }) => [service, declaration]));
  const declared = (step: PlanStep): number => {
    const lane = laneOf(step.id);
    const declaration = declarations.get(lane);
    const own = declaration === undefined ? 0 : priorityOf({ declaration }, { ...step, id: ownId(step.id) });
    return (critical.get(lane) ?? 0) * perWeight + own;
  };
  const queue = new ReadyQueue({
    graph,
    ...(steps === undefined ? {} : { steps }),
    order: "forward",
    limits: jointLimits(named, concurrency),
    lane: laneOf,
    ...schedulingBy(graph, durationMs, declared),
  });
  return { graph, queue };
};
