/** A run: one execution of a plan, as the journal keeps it and as events show it live. */
import { z } from "zod";
import { nameSchema, planDigestSchema, runNumberSchema, stepIdSchema } from "./identifiers.ts";
import { jsonObjectSchema } from "./json.ts";
import { runWordSchema } from "./run-word.ts";

/**
 * running(n) -> done | retry-wait | waiting | needs-operator | failed;
 * running -> interrupted (the process died, or was told to stop) -> running(n+1) | done;
 * done -> compensating -> compensated | needs-operator; done -> pending (its effect is gone: it is applied again).
 * The whole table: core/run/legal-transitions.ts.
 */
export const stepStates = [
  "pending",
  "running",
  "retry-wait",
  "waiting",
  "interrupted",
  "done",
  "failed",
  "skipped",
  "cancelled",
  "compensating",
  "compensated",
  "needs-operator",
] as const;
export const stepStateSchema = z.enum(stepStates);
export type StepState = z.infer<typeof stepStateSchema>;

/**
 * `failed`: live untouched. `undone`: cutover failed and the old side is back. `needs-operator`: something only a person can settle.
 */
export const runStates = [
  "running",
  "waiting",
  "interrupted",
  "succeeded",
  "failed",
  "undone",
  "needs-operator",
  "cancelled",
  "committed",
] as const;
export const runStateSchema = z.enum(runStates);
export type RunState = z.infer<typeof runStateSchema>;

/**
 * `forward`: towards the recovered service. `undo`: the cutover failed, its steps are being taken back. `cancel`: a person wants
 * all that the run made removed.
 */
export const runDirections = ["forward", "undo", "cancel"] as const;
export type RunDirection = (typeof runDirections)[number];

export const stepRecordSchema = z.object({
  id: stepIdSchema,
  state: stepStateSchema,
  attempt: z.int().nonnegative(),
  /** Written before any effect: deterministic names, identities seen before and meant after. */
  intent: jsonObjectSchema.nullable(),
  /** Written with `done`: what later steps bind to and the report tells. */
  output: jsonObjectSchema.nullable(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable(),
  beganAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  /** Sum over the attempts, by a monotonic clock. */
  durationMs: z.number().nonnegative(),
});
export type StepRecord = z.infer<typeof stepRecordSchema>;

/** What ties the runs that were begun from one joint plan. The same in each of them. */
export const jointRunsSchema = z.object({
  uid: z.uuid(),
  /** Of the joint plan. */
  digest: planDigestSchema,
  /** In the order of the plan's parts. */
  members: z.array(z.object({ service: nameSchema, uid: z.uuid() })),
  /** The service that a person named. */
  asked: nameSchema,
});
export type JointRuns = z.infer<typeof jointRunsSchema>;

export const runRecordSchema = z.object({
  number: runNumberSchema,
  /** Globally unique; marks everything the run makes. */
  uid: z.uuid(),
  service: z.string(),
  purpose: z.enum(["recover", "undo"]),
  digest: planDigestSchema,
  state: runStateSchema,
  /**
   * Which way it goes. `undo` and `cancel` are written before the first step is taken back, so that a killed undo goes on undoing
   * when the run is taken up again.
   */
  direction: z.enum(runDirections),
  /** Why it is in its state, in a person's words; null while it runs and when there is nothing to say. */
  message: z.string().nullable(),
  /** Fencing token: grows each time a process takes the run up; a write with an older one is refused. */
  epoch: z.int().nonnegative(),
  beganAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  /** The moment of the first wrong answer, when the caller knows it; the RTO clock begins here. */
  incidentAt: z.iso.datetime().nullable(),
  /** Of a run that was begun together with runs of other services. Absent for one alone. */
  joint: jointRunsSchema.optional(),
  steps: z.array(stepRecordSchema),
});
export type RunRecord = z.infer<typeof runRecordSchema>;

export const progressSchema = z.object({
  bytesDone: z.number().nonnegative().optional(),
  bytesTotal: z.number().nonnegative().optional(),
  itemsDone: z.number().nonnegative().optional(),
  itemsTotal: z.number().nonnegative().optional(),
  /** What the items are: `tables`, `files`. */
  unit: z.string().optional(),
  note: z.string().optional(),
});
export type Progress = z.infer<typeof progressSchema>;

/** What is told while a run goes on. `sequence` orders journaled events; progress is not journaled and has none. */
export const runEventSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("run"),
    sequence: z.int(),
    at: z.iso.datetime(),
    run: runNumberSchema,
    state: runStateSchema,
    message: z.string().optional(),
  }),
  z.object({
    type: z.literal("step"),
    sequence: z.int(),
    at: z.iso.datetime(),
    run: runNumberSchema,
    step: stepIdSchema,
    state: stepStateSchema,
    attempt: z.int(),
    durationMs: z.number().optional(),
    output: jsonObjectSchema.nullable().optional(),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable().optional(),
  }),
  /** A person has said something to the run; what follows of it comes as other events. */
  z.object({
    type: z.literal("word"),
    sequence: z.int(),
    at: z.iso.datetime(),
    run: runNumberSchema,
    word: runWordSchema,
  }),
  z.object({
    type: z.literal("progress"),
    at: z.iso.datetime(),
    run: runNumberSchema,
    step: stepIdSchema,
    progress: progressSchema,
  }),
]);
export type RunEvent = z.infer<typeof runEventSchema>;
