/** The plan, before anything is done: nothing live changes without a plan that was shown. */
import { eventEnvelope } from "../contract/envelope.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { nextRunNumber } from "../core/run/next-run-number.ts";
import type { JointPlan } from "../model/joint-plan.ts";
import type { Plan } from "../model/plan.ts";
import { renderJointPlan } from "../render/joint-plan-screen.ts";
import { renderPlan } from "../render/plan-screen.ts";
import type { Output } from "./output.ts";

/** The number that a run would get is asked for the names of what it would make. */
export const planText = async (plan: Plan, bench: Workbench, output: Output, next?: null): Promise<string> => {
  const run = nextRunNumber(await (await bench.journal()).listRuns());
  return renderPlan(plan, output.screen(bench.host.timeZone), next === undefined ? { run } : { run, next });
};

/** Above the question. */
export const showPlan = async (plan: Plan, bench: Workbench, output: Output): Promise<void> => {
  output.say(`${await planText(plan, bench, output, null)}\n`);
  output.event(eventEnvelope("plan", plan));
};

export const jointPlanText = async (
  plan: JointPlan,
  bench: Workbench,
  output: Output,
  next?: null,
): Promise<string> => {
  const run = nextRunNumber(await (await bench.journal()).listRuns());
  return renderJointPlan(plan, output.screen(bench.host.timeZone), next === undefined ? { run } : { run, next });
};

/** Above the one question. */
export const showJointPlan = async (plan: JointPlan, bench: Workbench, output: Output): Promise<void> => {
  output.say(`${await jointPlanText(plan, bench, output, null)}\n`);
  output.event(eventEnvelope("joint-plan", plan));
};
