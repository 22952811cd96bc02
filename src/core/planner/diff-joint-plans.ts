/** What differs between two plans of several services. Pure. */
import type { JointPlan } from "../../model/joint-plan.ts";
import type { Plan } from "../../model/plan.ts";
import { type PlanDiff, diffPlans } from "./diff-plans.ts";

export type JointPlanDiff = {
  /** The digests are equal. */
  readonly same: boolean;
  /** Of the services that both have. */
  readonly parts: readonly { readonly from: Plan; readonly to: Plan; readonly diff: PlanDiff }[];
  /** Services that only one of them has. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
};

export const diffJointPlans = (from: JointPlan, to: JointPlan): JointPlanDiff => {
  const before = new Map(from.parts.map((part) => [part.intent.service, part]));
  const after = new Set(to.parts.map(({ intent }) => intent.service));
  return {
    same: from.digest === to.digest,
    parts: to.parts.flatMap((part) => {
      const older = before.get(part.intent.service);
      return older === undefined ? [] : [{ from: older, to: part, diff: diffPlans(older, part) }];
    }),
    added: [...after].filter((service) => !before.has(service)),
    removed: [...before.keys()].filter((service) => !after.has(service)),
  };
};
