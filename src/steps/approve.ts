/** approve: a person looks at what was restored and says yes before anything live changes. */
import { type MakeHandler, noIntent, nothing, presenceByOutput, stepTimeoutMs } from "./step-bench.ts";

export const createApproveStep: MakeHandler<"approve"> = (parts) => ({
  kind: "approve",
  timeoutMs: stepTimeoutMs.person,
  retries: 0,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: async (context) => {
    const answer = await parts.approver(context.action.reason, context.signal);
    if (answer === null) return { kind: "waiting", for: "approval", message: context.action.reason };
    return answer.approved
      ? { kind: "done", output: { by: answer.by } }
      : {
          kind: "failed",
          message: `${answer.by} said no to the cutover`,
          hint: "the restored side stays beside live until the run is cancelled",
          output: { by: answer.by },
        };
  },

  compensate: nothing,
});
