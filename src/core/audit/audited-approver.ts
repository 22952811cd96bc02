/** Puts each answer to an approval gate into the audit log before the run goes on by it. */
import type { AuditLog } from "../ports/audit-log.ts";
import type { Approver } from "../ports/workbench.ts";

export const auditedApprover =
  (approver: Approver, log: AuditLog): Approver =>
  async (question, signal) => {
    const answer = await approver(question, signal);
    if (answer === null) return null;
    await log.append({
      action: "approve",
      outcome: answer.approved ? "done" : "refused",
      service: null,
      detail: { question, by: answer.by },
    });
    return answer;
  };
