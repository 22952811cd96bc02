/** What decides among steps that may begin, and when each step would begin and end if nothing but that were in its way. Pure. */
import type { StepId } from "../../model/identifiers.ts";
import type { PlanIntent, PlanStep } from "../../model/plan.ts";
import { NumberedQueue, type StepTimes } from "./numbered-queue.ts";
import { type QueueLayout, layOutQueue } from "./queue-layout.ts";
import type { ReadyQueueOptions } from "./ready-queue.ts";
import { type StepGraph, buildStepGraph, remainingPathMs } from "./step-graph.ts";
import { stepLimits } from "./step-limits.ts";
import { priorityOf } from "./step-rules.ts";

type Intent = Pick<PlanIntent, "declaration"> & { readonly steps: readonly PlanStep[] };

export const schedulingOf = (
  intent: Pick<PlanIntent, "declaration">,
  graph: StepGraph,
  durationMs: (id: StepId) => number,
): Scheduling => schedulingBy(graph, durationMs, (step) => priorityOf(intent, step));

export type Scheduling = Pick<ReadyQueueOptions, "priorities" | "durationMs" | "remainingMs">;

/** @param declared how urgent a step is by itself */
export const schedulingBy = (
  graph: StepGraph,
  durationMs: (id: StepId) => number,
  declared: (step: PlanStep) => number,
): Scheduling => {
  const remaining = remainingPathMs(graph, durationMs);
  return { priorities: prioritiesIn(graph, declared), durationMs, remainingMs: (id) => remaining.get(id) ?? 0 };
};

/** By number. What a step of high priority needs is as urgent as the step. */
const prioritiesIn = ({ numbered }: StepGraph, declared: (step: PlanStep) => number): Float64Array => {
  const priorities = Float64Array.from(numbered.steps, declared);
  for (let number = priorities.length - 1; number >= 0; number -= 1) {
    let highest = priorities[number] ?? 0;
    for (const next of numbered.dependents[number] ?? []) {
      const after = priorities[next] ?? 0;
      if (after > 0) highest = Math.max(highest, after);
    }
    priorities[number] = highest;
  }
  return priorities;
};

/** Milliseconds from the begin of the run. */
export type PlannedSpan = { readonly fromMs: number; readonly toMs: number };

export type SimulatedRun = {
  readonly endMs: number;
  /** Undefined for a step that the queue does not go through. */
  readonly spanOf: (id: StepId) => PlannedSpan | undefined;
  /** By number in the queue's layout. */
  readonly fromMs: Float64Array;
};

/** What of a simulation does not depend on how long steps take, for whoever asks several times. @param graph of all the intent's steps */
export const layOutRun = (intent: Intent, graph: StepGraph): QueueLayout =>
  layOutQueue({
    graph,
    order: "forward",
    limits: stepLimits(intent),
    priorities: prioritiesIn(graph, (step) => priorityOf(intent, step)),
  });

/** @param layout of all the steps, forward: each comes after those that it waits for */
export const timesOf = ({ ids, after }: QueueLayout, durationOf: (id: StepId, step: number) => number): StepTimes => {
  const durationMs = Float64Array.from(ids, durationOf);
  const remainingMs = new Float64Array(ids.length);
  for (let step = ids.length - 1; step >= 0; step -= 1) {
    let longest = 0;
    for (const next of after[step] ?? []) longest = Math.max(longest, remainingMs[next] ?? 0);
    remainingMs[step] = (durationMs[step] ?? 0) + longest;
  }
  return { durationMs, remainingMs };
};

/**
 * By the very queue that the engine takes its steps from, so that a forecast keeps the same limits as the run. A person's decision takes 0, since
 * nobody knows.
 * @param queue is used up
 */
export const simulateQueue = (queue: NumberedQueue): SimulatedRun => {
  const { layout, durationMs } = queue;
  const fromMs = new Float64Array(layout.ids.length);
  let running: number[] = [];
  const toMs = (step: number): number => (fromMs[step] ?? 0) + (durationMs[step] ?? 0);
  let nowMs = 0;
  for (;;) {
    for (let step = queue.take(); step !== undefined; step = queue.take()) {
      fromMs[step] = nowMs;
      running.push(step);
    }
    if (running.length === 0) break;
    nowMs = Number.POSITIVE_INFINITY;
    for (const step of running) nowMs = Math.min(nowMs, toMs(step));
    const others: number[] = [];
    for (const step of running) {
      if (toMs(step) > nowMs) {
        others.push(step);
        continue;
      }
      queue.leave(step);
      queue.complete(step);
    }
    running = others;
  }
  const spanOf = (id: StepId): PlannedSpan | undefined => {
    const step = layout.numberOf(id);
    return step === undefined ? undefined : { fromMs: fromMs[step] ?? 0, toMs: toMs(step) };
  };
  return { endMs: nowMs, spanOf, fromMs };
};

/** As the plan stands, with the durations that are given. */
export const simulateRun = (intent: Intent, durationMs: (id: StepId) => number): SimulatedRun => {
  const layout = layOutRun(intent, buildStepGraph(intent.steps));
  return simulateQueue(new NumberedQueue(layout, timesOf(layout, durationMs)));
};
