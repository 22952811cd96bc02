/** approve: as many people as it takes look at what was restored and say yes before anything live changes. */
import { planDigest } from "../core/planner/plan-digest.ts";
import { describeNeeds, judgeGate, mayApprove } from "../core/run/approval-gate.ts";
import type { StepContext, StepResult } from "../core/ports/engine.ts";
import { formatList } from "../core/text/quantity.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  noIntent,
  nothing,
  ownOutput,
  stepTimeoutMs,
} from "./step-bench.ts";
import { untilAnswered } from "./until-answered.ts";

export const createApproveStep: MakeHandler<"approve"> = (parts) => ({
  kind: "approve",
  timeoutMs: stepTimeoutMs.person,
  retries: 0,
  prepare: noIntent,
  check: stillOpen,
  clear: nothing,
  apply: (context) => decide(parts, context),
  compensate: nothing,
});

type Context = StepContext<Action<"approve">>;

/** Asked again on resume: what opened the gate may have been said of other instructions, or too long ago. */
const stillOpen = async (context: Context) => {
  const output = ownOutput(context);
  if (output === undefined) return { presence: "absent" as const };
  const verdict = judgeGate(context.action, await context.words(), context.clock.now().toISOString());
  return { presence: verdict.kind === "closed" ? ("absent" as const) : ("done" as const), output };
};

const decide = async (parts: StepParts, context: Context): Promise<StepResult> => {
  const { action } = context;
  const needs = describeNeeds(action);
  const now = (): string => context.clock.now().toISOString();
  const verdict = await untilAnswered(context, {
    judge: (words) => {
      const judged = judgeGate(action, words, now());
      return judged.kind === "closed" ? null : judged;
    },
    ask: async (words, signal) => {
      const { by } = judgeGate(action, words, now());
      const me = await parts.person();
      const had = by.length === 0 ? "" : `, has ${formatList([by].flat())}`;
      context.progress({ note: needs === "" ? "asks here" : `needs ${needs}${had}` });
      if (by.includes(me.name) || !mayApprove(action, me.roles))
        return parts.attendant.isThere ? "elsewhere" : "nobody";
      const answer = await parts.approver(
        needs === "" ? action.reason : `${action.reason} (needs ${needs}${had})`,
        signal,
      );
      if (answer === null) return "nobody";
      const says = answer.approved ? "yes" : "no";
      return { says, by: me.name, roles: [...me.roles], plan: planDigest(context.plan) };
    },
  });
  if (verdict === null) {
    const run = context.run.number;
    const message =
      needs === ""
        ? action.reason
        : `${action.reason} needs ${needs}: refloat approve ${run}, then refloat resume ${run}`;
    return { kind: "waiting", for: "approval", message };
  }
  if (verdict.kind === "refused") {
    return {
      kind: "failed",
      message: `${verdict.by} said no to the cutover${verdict.reason === null ? "" : `: ${verdict.reason}`}`,
      hint: "the restored side stays beside live until the run is cancelled",
      output: { by: verdict.by },
    };
  }
  if (verdict.kind === "overridden") {
    await context.warn(
      `the approval was OVERRIDDEN by ${verdict.by}${needs === "" ? "" : `, against ${needs}`}: ${verdict.reason}`,
    );
    return { kind: "done", output: { by: verdict.by, override: verdict.reason } };
  }
  return { kind: "done", output: { by: formatList(verdict.by) } };
};
