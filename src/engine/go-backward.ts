/**
 * Takes back what a run has begun, dependents first: the steps of the cutover for an undo, all for a cancel. The first step
 * that cannot be taken back ends it: what it stood on must stay as it is, or the world would be neither old nor new.
 */
import { ReadyQueue } from "../core/run/ready-queue.ts";
import { stepsToTakeBack } from "../core/run/resume-rules.ts";
import { stepLimits } from "../core/run/step-limits.ts";
import type { StepId } from "../model/identifiers.ts";
import type { LiveRun } from "./live-run.ts";
import type { StepEnvironment, StepError } from "./step-environment.ts";
import { takeBack } from "./take-back.ts";
import { workThrough } from "./work-through.ts";

export type BackwardEnd =
  | { readonly kind: "taken-back" }
  | { readonly kind: "interrupted" }
  | { readonly kind: "needs-operator"; readonly step: StepId; readonly error: StepError };

export const goBackward = async (
  live: LiveRun,
  environment: StepEnvironment,
  external: AbortSignal,
  direction: "undo" | "cancel",
): Promise<BackwardEnd> => {
  const broken = new AbortController();
  const stop = AbortSignal.any([external, broken.signal]);
  const queue = new ReadyQueue({
    graph: live.graph,
    steps: stepsToTakeBack(live.record, live.graph, direction),
    order: "backward",
    limits: stepLimits(live.plan.intent, environment.limits.concurrency),
  });
  const refused: { readonly step: StepId; readonly error: StepError }[] = [];
  await workThrough({
    queue,
    // Those that run are let finish: half taken back is worse than either side.
    mayBegin: () => !stop.aborted && refused.length === 0,
    atStage: async () => undefined,
    onBroken: () => broken.abort(),
    work: async (id) => {
      const step = live.graph.steps.get(id);
      if (step === undefined) return { complete: true };
      const end = await takeBack(live, step, environment, stop);
      if (end.kind === "needs-operator") refused.push({ step: id, error: end.error });
      return { complete: end.kind === "compensated" };
    },
  });
  const [first] = refused;
  if (first !== undefined) return { kind: "needs-operator", ...first };
  return queue.stage === null ? { kind: "taken-back" } : { kind: "interrupted" };
};
