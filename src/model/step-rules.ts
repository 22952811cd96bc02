/** What a person declares of how steps of a recovery are executed: limits of time, attempts, order, and how many run at once. */
import { z } from "zod";
import { durationTextSchema } from "./duration-text.ts";
import { nameSchema } from "./identifiers.ts";

const attempts = z.int().min(0).max(1000);

/** Of one kind of step, or of one step. What is left out is the kind's own default. */
export const stepRulesSchema = z.strictObject({
  timeout: durationTextSchema.optional().meta({
    description: "How long one attempt may take; then it is stopped and, as far as retries go, made again.",
  }),
  heartbeat: durationTextSchema.optional().meta({
    description: "How long an attempt may show no progress before it is stopped as if it had taken too long.",
  }),
  retries: z
    .union([attempts, z.record(z.string(), attempts)])
    .optional()
    .meta({
      description:
        "How often an attempt is made again after an error that may pass: for all such errors, or by their code, where other stands for those that are not named.",
      examples: [5, { "source.unreachable": 20, "step.timeout": 0, other: 2 }],
    }),
  backoff: z
    .strictObject({
      first: durationTextSchema.optional().meta({ description: "The pause before the first retry; it doubles." }),
      longest: durationTextSchema.optional().meta({ description: "The longest that the pause grows to." }),
    })
    .optional()
    .meta({ description: "The pauses between attempts." }),
  priority: z
    .int()
    .min(-100)
    .max(100)
    .optional()
    .meta({ description: "Among steps that may begin the higher one does, whatever takes longer; 0 when left out." }),
});
export type StepRules = z.infer<typeof stepRulesSchema>;

/** By kind of step (`restore`) or step (`restore:db`), which comes before its kind. */
export const stepRulesByNameSchema = z.record(z.string(), stepRulesSchema).meta({
  description: "How steps of a recovery are executed, by kind (restore) or by step (restore:db).",
  examples: [{ restore: { timeout: "6h", heartbeat: "15m", retries: 5 }, "restore:db": { priority: 10 } }],
});

const atOnce = z.int().min(1).max(1000);

export const concurrencySchema = z
  .strictObject({
    host: atOnce.optional().meta({ description: "Steps at once on one machine; 8 when left out." }),
    kinds: z
      .record(z.string(), atOnce)
      .optional()
      .meta({ description: "Steps of one kind at once.", examples: [{ restore: 2 }] }),
    resources: z
      .record(nameSchema, atOnce)
      .optional()
      .meta({
        description: "Steps at once that use a resource, which components name under resources:.",
        examples: [{ nas: 1 }],
      }),
  })
  .meta({ description: "How many steps of a recovery run at once." });
export type Concurrency = z.infer<typeof concurrencySchema>;
