/** plan --diff: the plan of now beside one that was shown, or beside that of another moment. */
import { askedAgain } from "../core/planner/asked-again.ts";
import { type PlanDiff, diffPlans } from "../core/planner/diff-plans.ts";
import { type JointPlanDiff, diffJointPlans } from "../core/planner/diff-joint-plans.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { draftJoint } from "../core/recovery/draft-joint.ts";
import { type AnyPlanRequest, draftPlan } from "../core/recovery/draft-plan.ts";
import type { PlanRequest } from "../core/recovery/draft-recovery.ts";
import { askNeeds } from "../core/recovery/service-needs.ts";
import { type JointPlan, type ShownPlan, isJoint } from "../model/joint-plan.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type ComparedPlans = {
  readonly from: Plan;
  readonly to: Plan;
  /** `from` is one that was shown earlier, not drawn up now. */
  readonly shown: boolean;
  readonly diff: PlanDiff;
};

/**
 * @param other the digest of a plan that was shown, or its first letters; else a moment, as `--at` takes it
 * @throws RefloatError usage, and whatever keeps a plan from being made
 */
export const comparePlans = async (
  bench: Workbench,
  request: AnyPlanRequest,
  other: string,
  signal: AbortSignal,
): Promise<ComparedPlans> => {
  const found = await findShown(bench, other);
  if (found !== null && isJoint(found))
    throw new RefloatError("usage", `plan ${other} is one of several services`, {
      nextCommand: `refloat plan ${found.intent.asked} --with-needs --diff ${other}`,
    });
  const shown = found;
  if (shown !== null && shown.intent.service !== request.service)
    throw new RefloatError("usage", `plan ${other} is one of ${shown.intent.service}, not of ${request.service}`, {
      nextCommand: `refloat plan ${shown.intent.service} --diff ${other}`,
    });
  // Without a moment or a scope of its own, what that plan was asked for is asked again.
  const asIs = request.at === null && request.only === null && request.failback == null;
  const asked = shown === null || !asIs ? request : { ...askedAgain(shown, "asked"), incidentAt: null };
  const to = await draftPlan(bench, asked, signal);
  const from = shown ?? (await draftPlan(bench, { ...request, at: other }, signal));
  const journal = await bench.journal();
  await journal.savePlan(to);
  if (shown === null) await journal.savePlan(from);
  return { from, to, shown: shown !== null, diff: diffPlans(from, to) };
};

export type ComparedJointPlans = JointPlanDiff & {
  readonly from: JointPlan;
  readonly to: JointPlan;
  readonly shown: boolean;
};

/** @throws as comparePlans */
export const compareJointPlans = async (
  bench: Workbench,
  request: PlanRequest,
  other: string,
  signal: AbortSignal,
): Promise<ComparedJointPlans> => {
  const found = await findShown(bench, other);
  if (found !== null && !isJoint(found))
    throw new RefloatError("usage", `plan ${other} is one of ${found.intent.service} alone`, {
      nextCommand: `refloat plan ${found.intent.service} --diff ${other}`,
    });
  if (found !== null && found.intent.asked !== request.service)
    throw new RefloatError("usage", `plan ${other} is one of ${found.intent.asked}, not of ${request.service}`, {
      nextCommand: `refloat plan ${found.intent.asked} --with-needs --diff ${other}`,
    });
  const needs = await askNeeds(bench, request.service, signal);
  const asked = found?.parts.at(-1);
  const again = request.at === null && asked !== undefined ? { ...askedAgain(asked, "asked"), only: null } : request;
  const to = await draftJoint(bench, { ...again, incidentAt: null }, needs, signal);
  const from = found ?? (await draftJoint(bench, { ...request, at: other }, needs, signal));
  const journal = await bench.journal();
  await journal.savePlan(to);
  if (found === null) await journal.savePlan(from);
  return { from, to, shown: found !== null, ...diffJointPlans(from, to) };
};

const findShown = async (bench: Workbench, text: string): Promise<ShownPlan | null> => {
  if (!/^[0-9a-f]{4,64}$/.test(text)) return null;
  try {
    return await (await bench.journal()).readPlan(text);
  } catch (error) {
    // Letters of an id of a point look the same.
    if (error instanceof RefloatError && error.code === "plan.unknown" && !error.message.startsWith("more than one"))
      return null;
    throw error;
  }
};
