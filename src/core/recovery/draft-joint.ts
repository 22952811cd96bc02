/**
 * One plan for a service and for what it needs and does not work: each drawn up as alone, to the same moment, and joined. Changes nothing.
 */
import { serviceEdges } from "../graph/service-graph.ts";
import { joinPlans } from "../planner/join-plans.ts";
import type { Workbench } from "../ports/workbench.ts";
import { formatList } from "../text/quantity.ts";
import type { JointPlan } from "../../model/joint-plan.ts";
import type { Plan } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type PlanRequest, draftRecovery } from "./draft-recovery.ts";
import type { ServiceNeed } from "./service-needs.ts";

/** @throws as draftRecovery; plan.impossible where it cannot be told whether a service works */
export const draftJoint = async (
  bench: Workbench,
  request: PlanRequest,
  needs: readonly ServiceNeed[],
  signal: AbortSignal,
): Promise<JointPlan> => {
  refuseUnknown(needs, request.service);
  const ill = needs.filter(({ health }) => health === "ill").map(({ service }) => service);
  // First, since the moment of all is the one that is found for it.
  const { plan: asked } = await draftRecovery(bench, { ...request, runsBefore: ill.length }, signal);
  const at = momentOf(asked, request.at);
  const plans: Plan[] = [];
  for (const [runsBefore, service] of ill.entries())
    plans.push((await draftRecovery(bench, { ...request, service, at, runsBefore }, signal)).plan);
  return joinAsNow(bench, asked.intent.service, [...plans, asked], needs);
};

/** @param plans those of services that are needed before the one that was asked for */
export const joinAsNow = async (
  bench: Pick<Workbench, "declaration" | "clock">,
  asked: string,
  plans: readonly Plan[],
  needs: readonly ServiceNeed[] = [],
): Promise<JointPlan> =>
  joinPlans({
    asked,
    plans,
    edges: serviceEdges(Object.values((await bench.declaration()).services)),
    leftAlone: needs.flatMap(({ service, health, found }) => (health === "works" ? [{ service, found }] : [])),
    now: bench.clock.now().toISOString(),
  });

/** Words such as "2 hours ago", a mark or a run mean something to one service: what they meant there is meant for all. */
const momentOf = ({ intent, forecast }: Plan, at: string | null): string | null => {
  const { chosen } = forecast;
  if (at === null || chosen === undefined || chosen.kind === "last" || intent.point === null) return null;
  // Each has its own that was read and found sound.
  if (chosen.kind === "verified") return at;
  return chosen.kind === "id" ? intent.point.consistentAt : chosen.at;
};

/** To put a service that may be whole back to an older point would lose what it has taken since. */
const refuseUnknown = (needs: readonly ServiceNeed[], asked: string): void => {
  const unknown = needs.filter(({ health }) => health === "unknown").map(({ service }) => service);
  const [first] = unknown;
  if (first === undefined) return;
  throw new RefloatError("plan.impossible", `whether ${formatList(unknown)} must be recovered cannot be told`, {
    state: "nothing was changed",
    hint: `declare a probe or a check for ${first}; or look for yourself, and recover ${asked} without --with-needs`,
    nextCommand: `refloat plan ${first}`,
  });
};
