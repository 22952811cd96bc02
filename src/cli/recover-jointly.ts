/** recover --with-needs, and undo --with-needs: one plan of several services is shown, said yes to once, and executed as one graph. */
import type { Workbench } from "../core/ports/workbench.ts";
import type { ServiceNeed } from "../core/recovery/service-needs.ts";
import { refuseBrokenLinks } from "../core/planner/refuse-broken-links.ts";
import type { PlanRequest } from "../core/recovery/draft-recovery.ts";
import { formatList } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import type { JointPlan } from "../model/joint-plan.ts";
import { planJoint } from "../operations/plan-joint.ts";
import { recoverJointly, refuseIfBusy } from "../operations/recover.ts";
import type { CommandContext, CommandResult } from "./command.ts";
import { requireYes } from "./confirmation.ts";
import { executeRuns } from "./execute-run.ts";
import { planning } from "./live-progress.ts";
import { showJointPlan } from "./show-plan.ts";

export const drawJointPlan = async (
  context: CommandContext,
  bench: Workbench,
  request: PlanRequest,
): Promise<JointPlan> => {
  const { output, signal } = context;
  const health: string[] = [];
  const joint = await planning(context, bench.clock, "asking what the service needs, and planning", () =>
    planJoint(bench, request, (needs) => void health.push(...needs.map(healthLine)), signal),
  ).finally(() => {
    for (const line of health) output.say(line);
  });
  return joint;
};

export const recoverWithNeeds = async (
  context: CommandContext,
  bench: Workbench,
  request: PlanRequest,
): Promise<CommandResult> => {
  await refuseIfBusy(bench, request.service, null);
  const joint = await drawJointPlan(context, bench, request);
  for (const { intent } of joint.parts) await refuseIfBusy(bench, intent.service, null);
  await showJointPlan(joint, bench, context.output);
  for (const part of joint.parts) refuseBrokenLinks(part);
  await requireYes(context, {
    question: `Recover ${formatList(joint.parts.map(({ intent }) => intent.service))} now?`,
    unasked: "a recovery changes what is live",
    nextCommand: `refloat recover --plan ${shortId(joint.digest)}`,
  });
  return executeJointly(context, bench, joint, request.incidentAt ?? null);
};

export const executeJointly = (
  context: CommandContext,
  bench: Workbench,
  plan: JointPlan,
  incidentAt: string | null,
): Promise<CommandResult> =>
  executeRuns(
    context,
    bench,
    plan.parts.map((part) => ({ plan: part, record: null })),
    (listener) => recoverJointly(bench, { plan, incidentAt, listener, signal: context.signal }),
  );

const healthLine = ({ service, health, found }: ServiceNeed): string =>
  `${healthWord[health].padEnd(8)} ${service}: ${found}`;

const healthWord = { works: "works", ill: "ILL", unknown: "unknown" } as const satisfies Record<
  ServiceNeed["health"],
  string
>;
