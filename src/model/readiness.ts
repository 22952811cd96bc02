/** Whether a service could be recovered now: what was asked, and what stands in the way. */
import { z } from "zod";

/** `warning`: a recovery can begin, and a person should know. `not-ready`: it would be refused, would fail, or would miss a declared objective. */
export const readyLevelSchema = z.enum(["ok", "warning", "not-ready"]);
export type ReadyLevel = z.infer<typeof readyLevelSchema>;

export const readyCheckSchema = z.object({
  /** Whom it is about: `vault`, `point`, the name of a component, `cutover haproxy`, `space`, `plan`, `rehearsal`. */
  area: z.string(),
  subject: z.string(),
  level: readyLevelSchema,
  /** What was found, in a person's words. */
  found: z.string(),
  hint: z.string().optional(),
  /** A command that can be run as it stands. */
  nextCommand: z.string().optional(),
});
export type ReadyCheck = z.infer<typeof readyCheckSchema>;

export const readinessSchema = z.object({
  service: z.string(),
  at: z.iso.datetime(),
  /** Nothing is `not-ready`. */
  ready: z.boolean(),
  /** The point that a recovery would take now; null when there is none. */
  point: z.string().nullable(),
  /** The moment that all data could be brought back to; null without a point. */
  recoverableTo: z.iso.datetime().nullable(),
  /** How long it is likely to take; null when nothing could be planned. */
  predictedMs: z.number().nullable(),
  checks: z.array(readyCheckSchema),
});
export type Readiness = z.infer<typeof readinessSchema>;
