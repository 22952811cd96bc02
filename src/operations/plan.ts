/** plan: what a recovery would do, lose and take. Looks at everything, changes nothing, and remembers the plan by its digest. */
import { refuseIfShort } from "../core/planner/refuse-if-short.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { type AnyPlanRequest, draftPlan } from "../core/recovery/draft-plan.ts";
import type { Plan } from "../model/plan.ts";

/** @throws RefloatError time.unclear, mark.unknown, run.unknown, point.*, log.gap, plan.no-space, plan.impossible, cutover.refused */
export const plan = async (bench: Workbench, request: AnyPlanRequest, signal: AbortSignal): Promise<Plan> => {
  const planned = await draftPlan(bench, request, signal);
  refuseIfShort(planned);
  await (await bench.journal()).savePlan(planned);
  return planned;
};
