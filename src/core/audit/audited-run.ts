/** What the audit log says of plans and runs. */
import type { Plan } from "../../model/plan.ts";
import type { RunRecord } from "../../model/run.ts";
import type { AuditedAct, AuditedEnd } from "./audited.ts";

/**
 * @param joint digest of the joint plan that it is a part of
 * @returns the begin of a recovery, or of an undo, which is a plan too
 */
export const auditedPlan = ({ digest, intent }: Plan, joint?: string): AuditedAct => ({
  action: intent.purpose,
  service: intent.service,
  detail: {
    plan: digest,
    point: intent.point?.id ?? null,
    ...(intent.failback === undefined ? {} : { failback: intent.failback.runUid }),
    ...(joint === undefined ? {} : { joint }),
  },
});

export const auditedRun = ({ number, uid, state, message }: RunRecord): AuditedEnd => ({
  outcome: state,
  detail: { run: number, uid, message },
});
