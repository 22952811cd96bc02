/**
 * The versioned envelope around everything that a command prints with `--json`. One object ends the output: the result, or the
 * error. Before it there may be events, one to a line.
 */
import { z } from "zod";
import { diagnosticSchema } from "../model/diagnostic.ts";
import type { RefloatError } from "../model/refloat-error.ts";
import { logSpanSchema } from "../model/log-span.ts";
import { jsonObjectSchema } from "../model/json.ts";
import { jointPlanSchema } from "../model/joint-plan.ts";
import { planSchema } from "../model/plan.ts";
import { progressSchema, runEventSchema } from "../model/run.ts";
import {
  differenceEventSchema,
  entryFactsSchema,
  foundEventSchema,
  keyFactsSchema,
  mountSchema,
} from "./granular-schemas.ts";
import { type ResultKind, resultSchemas } from "./result-schemas.ts";

export const errorDataSchema = z.object({
  code: z.string(),
  message: z.string(),
  /** What was left behind. */
  state: z.string().optional(),
  hint: z.string().optional(),
  /** A command that can be run as it stands. */
  next: z.string().optional(),
  context: jsonObjectSchema,
  diagnostics: z.array(diagnosticSchema),
});

/** `refloat/points/v1` */
export const resultEnvelopeSchema = <Kind extends ResultKind>(kind: Kind) =>
  z.object({
    schema: z.literal(`refloat/${kind}/v1`),
    ok: z.boolean(),
    /** The exit status of the command. */
    exit: z.int().nonnegative(),
    data: resultSchemas[kind],
    /** What went wrong although there is an answer: a run that failed has a report all the same. */
    error: errorDataSchema.optional(),
  });

export const errorEnvelopeSchema = z.object({
  schema: z.literal("refloat/error/v1"),
  ok: z.literal(false),
  exit: z.int().positive(),
  /** Null when the command line itself could not be read. */
  command: z.string().nullable(),
  error: errorDataSchema,
});

const captureEventSchema = z.discriminatedUnion("type", [
  /** The service stands still from here on, and goes on from there on. */
  z.object({ type: z.literal("frozen") }),
  z.object({ type: z.literal("thawed"), heldMs: z.number().nonnegative() }),
  z.object({ type: z.literal("begin"), component: z.string() }),
  z.object({ type: z.literal("progress"), component: z.string(), progress: progressSchema }),
  z.object({ type: z.literal("end"), component: z.string(), sizeBytes: z.number() }),
  z.object({ type: z.literal("warning"), message: z.string(), hint: z.string(), nextCommand: z.string() }),
]);

const captureLogEventSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("begin"), component: z.string(), from: logSpanSchema.nullable() }),
  /** So far the vault has it. */
  z.object({
    type: z.literal("durable"),
    component: z.string(),
    position: z.string(),
    at: z.string(),
    lagMs: z.number().nonnegative(),
    behindBytes: z.number(),
  }),
  z.object({
    type: z.literal("waiting"),
    component: z.string(),
    for: z.enum(["source", "vault"]),
    reason: z.string(),
  }),
  /** What the source no longer has and the vault never got. */
  z.object({
    type: z.literal("gap"),
    component: z.string(),
    from: logSpanSchema.nullable(),
    reason: z.string(),
    nextCommand: z.string(),
  }),
  z.object({ type: z.literal("warning"), component: z.string(), message: z.string(), hint: z.string() }),
]);

/** `point` is the one that is being copied. */
const copyEventSchema = z.object({
  point: z.string().nullable(),
  pointsDone: z.int().nonnegative(),
  points: z.int().nonnegative(),
  blobs: z.int().nonnegative(),
  newBytes: z.number().nonnegative(),
});

const verifyEventSchema = z.object({ itemsDone: z.number().nonnegative(), bytesRead: z.number().nonnegative() });

/** What is told while a command goes on. */
export const eventEnvelopeSchema = z.discriminatedUnion("event", [
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("plan"), data: planSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("joint-plan"), data: jointPlanSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("run"), data: runEventSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("capture"), data: captureEventSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("capture-log"), data: captureLogEventSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("verify"), data: verifyEventSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("copy"), data: copyEventSchema }),
  z.object({
    schema: z.literal("refloat/event/v1"),
    event: z.literal("browse"),
    data: z.union([entryFactsSchema, keyFactsSchema]),
  }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("find"), data: foundEventSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("diff"), data: differenceEventSchema }),
  z.object({ schema: z.literal("refloat/event/v1"), event: z.literal("mount"), data: mountSchema }),
]);

/** Data as code hands it out: the same shape, read-only. */
type Shared<Value> = Value extends readonly (infer Item)[]
  ? readonly Shared<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: Shared<Value[Key]> }
    : Value;

export type ResultData<Kind extends ResultKind> = Shared<z.input<(typeof resultSchemas)[Kind]>>;

export const errorData = (error: RefloatError) => ({
  code: error.code,
  message: error.message,
  state: error.state,
  hint: error.hint,
  next: error.nextCommand,
  context: error.context,
  diagnostics: error.diagnostics,
});

/** @param error what went wrong although there is an answer; its exit status is the command's */
export const envelope = <Kind extends ResultKind>(
  kind: Kind,
  data: ResultData<Kind>,
  outcome: { readonly exit: number; readonly error?: RefloatError | null } = { exit: 0 },
) => ({
  schema: `refloat/${kind}/v1` as const,
  ok: outcome.exit === 0,
  exit: outcome.exit,
  data,
  ...(outcome.error === undefined || outcome.error === null ? {} : { error: errorData(outcome.error) }),
});

export const errorEnvelope = (error: RefloatError, command: string | null) => ({
  schema: "refloat/error/v1" as const,
  ok: false as const,
  exit: error.entry.exit,
  command,
  error: errorData(error),
});

type EventName = z.infer<typeof eventEnvelopeSchema>["event"];
type EventData<Name extends EventName> = Shared<
  Extract<z.input<typeof eventEnvelopeSchema>, { readonly event: Name }>["data"]
>;

export const eventEnvelope = <Name extends EventName>(event: Name, data: EventData<Name>) => ({
  schema: "refloat/event/v1" as const,
  event,
  data,
});
