/** A plan as it would be now: of a recovery to a point, or of the way home from where another run has recovered. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { Plan } from "../../model/plan.ts";
import type { Workbench } from "../ports/workbench.ts";
import { draftFailback } from "./draft-failback.ts";
import { type PlanRequest, draftRecovery } from "./draft-recovery.ts";

export type AnyPlanRequest = PlanRequest & {
  /** The run that recovered elsewhere: a number of this journal, or a uid or its first letters. */
  readonly failback?: string | null;
};

/** @throws RefloatError usage, and whatever `draftRecovery` and `draftFailback` throw */
export const draftPlan = async (bench: Workbench, request: AnyPlanRequest, signal: AbortSignal): Promise<Plan> => {
  const { failback = null } = request;
  if (failback === null) return (await draftRecovery(bench, request, signal)).plan;
  const unfit =
    request.at !== null ? "--at" : request.only !== null ? "--only" : request.acceptLoss ? "--accept-loss" : null;
  if (unfit !== null)
    throw new RefloatError(
      "usage",
      `${unfit} does not go with --failback: its point is made in the run, of all of the service`,
      {
        nextCommand: `refloat plan ${request.service} --failback ${failback}`,
      },
    );
  return draftFailback(bench, { ...request, failback }, signal);
};
