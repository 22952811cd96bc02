/** plan --with-needs: one plan for a service and what it needs that does not work. Remembers it by its digest, changes nothing. */
import { refuseIfShort } from "../core/planner/refuse-if-short.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { draftJoint } from "../core/recovery/draft-joint.ts";
import type { PlanRequest } from "../core/recovery/draft-recovery.ts";
import { type ServiceNeed, askNeeds } from "../core/recovery/service-needs.ts";
import type { JointPlan } from "../model/joint-plan.ts";

/**
 * @param told of each service that is needed, once it is known whether it works
 * @throws RefloatError as `plan`; plan.impossible where it cannot be told whether a service works
 */
export const planJoint = async (
  bench: Workbench,
  request: PlanRequest,
  told: (needs: readonly ServiceNeed[]) => void,
  signal: AbortSignal,
): Promise<JointPlan> => {
  const needs = await askNeeds(bench, request.service, signal);
  told(needs);
  const joint = await draftJoint(bench, request, needs, signal);
  refuseIfShort(...joint.parts);
  await (await bench.journal()).savePlan(joint);
  return joint;
};
