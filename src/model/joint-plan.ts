/**
 * A joint plan: plans of several services that are executed as one graph, because one of them needs the others. Each part is the plan of one
 * service, and its steps say which services they wait for (`after`); the digest is over all of them.
 */
import { z } from "zod";
import { nameSchema, planDigestSchema } from "./identifiers.ts";
import { type Plan, planSchema } from "./plan.ts";

export const jointIntentSchema = z.object({
  schemaVersion: z.literal(1),
  purpose: z.enum(["recover", "undo"]),
  /** The service that a person named; the others are there for its sake. */
  asked: nameSchema,
  /** Digests of the parts, in the order in which their runs are numbered: what is waited for comes first. */
  parts: z.array(planDigestSchema),
});

/** How long a part takes when it shares the machine with the others, from the begin of them all. */
export const jointSpanSchema = z.object({
  service: nameSchema,
  /** Its last step. */
  toMs: z.int().nonnegative(),
});

export const jointPlanSchema = z.object({
  digest: planDigestSchema,
  intent: jointIntentSchema,
  forecast: z.object({
    at: z.iso.datetime(),
    /** To the end of the last one, within the limits that they share. */
    totalMs: z.int().nonnegative(),
    spans: z.array(jointSpanSchema),
    /** Services that are needed and work: they are no part. */
    leftAlone: z.array(z.object({ service: nameSchema, found: z.string() })),
  }),
  parts: z.array(planSchema),
});
export type JointPlan = z.infer<typeof jointPlanSchema>;

/** What is remembered by its digest. */
export type ShownPlan = Plan | JointPlan;

export const isJoint = (plan: ShownPlan): plan is JointPlan => "parts" in plan;
