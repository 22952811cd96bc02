/**
 * An edit of one step of a run that stands still: how it is executed, or what a person is told to do. What a recovery restores, starts and
 * switches is no matter of an edit: that is another plan. Pure.
 */
import type { StepId } from "../../model/identifiers.ts";
import { type Json, jsonSchema } from "../../model/json.ts";
import { type Plan, type PlanStep, planStepSchema } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type StepRules, stepRulesSchema } from "../../model/step-rules.ts";
import { retryableCodes } from "../declaration/check-step-rules.ts";
import { planDigest } from "../planner/plan-digest.ts";
import { parseDuration } from "../time/duration.ts";
import { needsPeople } from "./skippable-steps.ts";
import { declaredRules } from "./step-rules.ts";

export type StepEdit = {
  readonly plan: Plan;
  /** What held before, by the declaration or an earlier edit; null where the default of its kind did. */
  readonly from: Json;
  readonly to: Json;
};

/** Instructions are the step's own; all else is how it is executed. */
const ownFields = { manual: ["do", "expect"] } as const;

const ruleFields = [
  "timeout",
  "heartbeat",
  "retries",
  "backoff",
  "priority",
] as const satisfies readonly (keyof StepRules)[];

export const editableFields = ({ action }: PlanStep): readonly string[] => [
  ...(action.kind === "manual" ? ownFields.manual : []),
  ...ruleFields.filter((field) => field !== "heartbeat" || !needsPeople(action.kind)),
];

/**
 * @param text as typed: a number, JSON, or words
 * @throws RefloatError usage for a field that cannot be edited, or a value that the step's schema refuses
 */
export const editStep = (plan: Plan, id: StepId, field: string, text: string): StepEdit => {
  const step = plan.intent.steps.find((one) => one.id === id);
  if (step === undefined) throw new RefloatError("bug", `the plan has no step ${id}`);
  const fields = editableFields(step);
  if (!fields.includes(field))
    throw new RefloatError("usage", `"${field}" of ${id} cannot be edited`, {
      hint: `${fields.join(", ")} can; for another point, scope or release cancel the run and plan anew`,
      nextCommand: `refloat plan ${plan.intent.service}`,
    });
  const isOwn = (ruleFields as readonly string[]).every((rule) => rule !== field);
  const to = isOwn ? text : readValue(text);
  const from = isOwn
    ? step.action[field as keyof typeof step.action]
    : declaredRules(plan.intent, step)[field as keyof StepRules];
  const edited = planStepSchema.safeParse(
    isOwn ? { ...step, action: { ...step.action, [field]: to } } : { ...step, rules: { ...step.rules, [field]: to } },
  );
  const rules = isOwn ? undefined : stepRulesSchema.safeParse({ [field]: to });
  const fault = edited.error?.issues[0]?.message ?? rules?.error?.issues[0]?.message ?? faultOf(rules?.data ?? {});
  if (!edited.success || fault !== null)
    throw new RefloatError(
      "usage",
      `${field} of ${id} cannot be ${JSON.stringify(to)}: ${fault ?? "its form is wrong"}`,
      {
        hint: "nothing was edited",
      },
    );
  const intent = { ...plan.intent, steps: plan.intent.steps.map((one) => (one.id === id ? edited.data : one)) };
  return { plan: { ...plan, intent, digest: planDigest(intent) }, from: jsonSchema.parse(from ?? null), to };
};

/** What the schema alone does not refuse. */
const faultOf = ({ timeout, heartbeat, retries }: StepRules): string | null => {
  if ([timeout, heartbeat].some((text) => text !== undefined && (parseDuration(text) ?? 0) <= 0))
    return "nothing is done in no time";
  const codes = typeof retries === "object" ? Object.keys(retries) : [];
  const wrong = codes.find((code) => code !== "other" && !retryableCodes.includes(code));
  return wrong === undefined ? null : `after ${wrong} a step is never made again`;
};

/** `5` is a number, `{"first":"1s"}` is JSON, `30m` is text. */
const readValue = (text: string): Json => {
  try {
    return jsonSchema.parse(JSON.parse(text));
  } catch {
    return text;
  }
};
