/** What decides among steps that may begin, and when each step would begin and end if nothing but that were in its way. Pure. */
import type { StepId } from "../../model/identifiers.ts";
import type { PlanIntent, PlanStep } from "../../model/plan.ts";
import { ReadyQueue, type ReadyQueueOptions } from "./ready-queue.ts";
import { type StepGraph, buildStepGraph, remainingPathMs } from "./step-graph.ts";
import { stepLimits } from "./step-limits.ts";
import { priorityOf } from "./step-rules.ts";

type Intent = Pick<PlanIntent, "declaration"> & { readonly steps: readonly PlanStep[] };

export const schedulingOf = (
  intent: Pick<PlanIntent, "declaration">,
  graph: StepGraph,
  durationMs: (id: StepId) => number,
): Scheduling => schedulingBy(graph, durationMs, (step) => priorityOf(intent, step));

export type Scheduling = Pick<ReadyQueueOptions, "priority" | "durationMs" | "remainingMs">;

/** @param declared how urgent a step is by itself */
export const schedulingBy = (
  graph: StepGraph,
  durationMs: (id: StepId) => number,
  declared: (step: PlanStep) => number,
): Scheduling => {
  const remaining = remainingPathMs(graph, durationMs);
  const priorities = new Map<StepId, number>();
  // What a step of high priority needs is as urgent as the step.
  for (const id of graph.order.toReversed()) {
    const step = graph.steps.get(id);
    let highest = step === undefined ? 0 : declared(step);
    for (const next of graph.dependents.get(id) ?? []) {
      const after = priorities.get(next) ?? 0;
      if (after > 0) highest = Math.max(highest, after);
    }
    priorities.set(id, highest);
  }
  return {
    priority: (id) => priorities.get(id) ?? 0,
    durationMs,
    remainingMs: (id) => remaining.get(id) ?? 0,
  };
};

/** Milliseconds from the begin of the run. */
export type PlannedSpan = { readonly fromMs: number; readonly toMs: number };

/**
 * By the very queue that the engine takes its steps from, so that a forecast keeps the same limits as the run. What does not depend on how long
 * steps take is made once, for whoever asks several times.
 * @returns given durations, of which a person's decision has 0, since nobody knows
 */
export const runSimulator = (
  intent: Intent,
): ((durationMs: (id: StepId) => number) => ReadonlyMap<StepId, PlannedSpan>) => {
  const graph = buildStepGraph(intent.steps);
  const steps = new Set(graph.order);
  const limits = stepLimits(intent);
  return (durationMs) =>
    simulateQueue(
      new ReadyQueue({ graph, steps, order: "forward", limits, ...schedulingOf(intent, graph, durationMs) }),
      durationMs,
    );
};

export const simulateQueue = (
  queue: ReadyQueue,
  durationMs: (id: StepId) => number,
): ReadonlyMap<StepId, PlannedSpan> => {
  const spans = new Map<StepId, PlannedSpan>();
  const running: { readonly id: StepId; readonly toMs: number }[] = [];
  let nowMs = 0;
  for (;;) {
    for (let id = queue.take(); id !== undefined; id = queue.take()) {
      const toMs = nowMs + durationMs(id);
      spans.set(id, { fromMs: nowMs, toMs });
      running.push({ id, toMs });
    }
    if (running.length === 0) return spans;
    nowMs = running.reduce((least, { toMs }) => Math.min(least, toMs), Number.POSITIVE_INFINITY);
    for (const one of running.filter(({ toMs }) => toMs <= nowMs)) {
      running.splice(running.indexOf(one), 1);
      queue.leave(one.id);
      queue.complete(one.id);
    }
  }
};
