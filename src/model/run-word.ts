/** What a person says to a run from outside of it: kept among the run's events, whoever executes the run. */
import { z } from "zod";
import { planDigestSchema, stepIdSchema } from "./identifiers.ts";
import { jsonSchema } from "./json.ts";

/**
 * To an approval gate: `yes`, `no`, and `override`, which opens it against its rules. To a manual step: `done`, `failed`. To a step that is not
 * needed: `skip`. To a step of a run that stands still: `edit`. To the run as a whole: `pause`.
 */
export const runWordSchema = z.object({
  says: z.enum(["yes", "no", "override", "done", "failed", "skip", "pause", "edit"]),
  /** Null: to the run. */
  step: stepIdSchema.nullable(),
  by: z.string(),
  /** The user and the groups of the system that the person was in when it was said. */
  roles: z.array(z.string()),
  reason: z.string().optional(),
  /** Of yes, no and override: the plan that it was said of. */
  plan: planDigestSchema.optional(),
  /** What the person saw, of a manual step. */
  evidence: z.string().optional(),
  /** Of an edit: what it changed of the step, and the plan's digest before and after. */
  edit: z
    .object({
      field: z.string(),
      from: jsonSchema,
      to: jsonSchema,
      before: planDigestSchema,
      after: planDigestSchema,
    })
    .optional(),
});
export type RunWord = z.infer<typeof runWordSchema>;

export type SpokenWord = RunWord & { readonly at: string };
