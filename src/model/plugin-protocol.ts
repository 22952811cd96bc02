/**
 * The plugin protocol, version 1: what Refloat and a program that stands for a tool say to each other, JSON lines over standard input
 * and output, and how data is framed on descriptor 3. docs/plugins.md explains it; schema/plugin.schema.json is made from this.
 */
import { z } from "zod";

export const pluginProtocolVersion = 1;

/** What a plugin may offer beyond capture, restore, inspect and drop. */
export const pluginAbilities = ["check", "facts", "position", "switch", "stop", "reload", "outputs"] as const;
export type PluginAbility = (typeof pluginAbilities)[number];

const shortText = z.string().max(1_000);

/** The first line of a plugin. */
export const pluginHelloSchema = z
  .strictObject({
    refloat: z.int().meta({ description: "Version of the protocol that the plugin speaks: 1." }),
    hello: z.strictObject({
      name: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
        .meta({ description: "What people call it." }),
      version: z.string().min(1).max(64).meta({ description: "Its own version, kept with each point." }),
      can: z.array(z.string().max(64)).meta({
        description: `What it offers beyond capture, restore, inspect and drop: ${pluginAbilities.join(", ")}.`,
      }),
      options: z
        .record(z.string(), z.unknown())
        .meta({ description: "JSON Schema of the options: that a component declares for it." }),
    }),
  })
  .meta({ description: "The first line that a plugin writes, before it is asked anything." });
export type PluginHello = z.infer<typeof pluginHelloSchema>["hello"];

const placed = { name: z.string().meta({ description: "The place that is asked about: stable name or another." }) };

const common = {
  refloat: z.literal(pluginProtocolVersion),
  service: z.string(),
  component: z.string(),
  options: z
    .record(z.string(), z.unknown())
    .meta({ description: "As declared, references replaced. May hold secrets." }),
  stable: z.string().meta({ description: "The stable name." }),
  work: z
    .string()
    .meta({ description: "A private folder for small working files; removed afterwards. Never for data." }),
};

/** Streams are files of the component's snapshot. */
export const streamNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);

const streamSchema = z.strictObject({
  name: streamNameSchema,
  sizeBytes: z.int().nonnegative(),
  sha256: z.string(),
});

export const pluginRequestSchema = z
  .discriminatedUnion("request", [
    z.strictObject({ ...common, request: z.literal("check") }),
    z.strictObject({ ...common, request: z.literal("capture") }),
    z.strictObject({
      ...common,
      ...placed,
      request: z.literal("restore"),
      run: z.int(),
      runUid: z.string(),
      streams: z.array(streamSchema),
    }),
    z.strictObject({ ...common, ...placed, request: z.literal("inspect") }),
    z.strictObject({ ...common, ...placed, request: z.literal("drop") }),
    z.strictObject({ ...common, ...placed, request: z.literal("facts") }),
    z.strictObject({ ...common, ...placed, request: z.literal("position") }),
    z.strictObject({ ...common, ...placed, request: z.literal("identity") }),
    z.strictObject({ ...common, ...placed, request: z.literal("outputs") }),
    z.strictObject({
      ...common,
      request: z.literal("switch"),
      incoming: z.string().nullable().meta({ description: "What is put behind the stable name; null for nothing." }),
      outgoing: z.string().meta({ description: "The name that the old side gets." }),
      expected: z.strictObject({ stable: z.string().nullable(), incoming: z.string().nullable() }),
    }),
    z.strictObject({ ...common, request: z.literal("stop") }),
    z.strictObject({ ...common, request: z.literal("reload") }),
  ])
  .meta({ description: "The one line that a plugin reads from standard input." });
export type PluginRequest = z.infer<typeof pluginRequestSchema>;
export type PluginRequestKind = PluginRequest["request"];

/** Facts that a tool tells of a place: flat, so that each can be compared and shown. */
export const toldFactsSchema = z.record(z.string().min(1).max(200), z.union([shortText, z.number(), z.boolean()]));
export type ToldFacts = z.infer<typeof toldFactsSchema>;

const findingSchema = z.strictObject({
  ok: z.boolean(),
  subject: shortText,
  found: shortText,
  hint: shortText.optional(),
});

const answerSchema = z
  .string()
  .max(500)
  // oxlint-disable-next-line no-control-regex -- what would steer the terminal that it is printed on
  .regex(/^[^\u0000-\u001F\u007F]+$/);

const nothingSchema = z.strictObject({});

/** By request, what its result holds. */
export const pluginResultSchemas = {
  check: z.strictObject({ findings: z.array(findingSchema).max(1_000) }),
  capture: nothingSchema,
  restore: nothingSchema,
  inspect: z.strictObject({ presence: z.enum(["absent", "partial", "done"]) }),
  drop: nothingSchema,
  facts: z.strictObject({ facts: toldFactsSchema }),
  position: z.strictObject({ position: answerSchema.nullable() }),
  identity: z.strictObject({ identity: answerSchema.nullable() }),
  outputs: z.strictObject({
    outputs: z.record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*$/),
      z.strictObject({ value: z.string().max(10_000), secret: z.boolean().optional() }),
    ),
  }),
  switch: nothingSchema,
  stop: nothingSchema,
  reload: nothingSchema,
} as const satisfies Record<PluginRequestKind, z.ZodType>;
export type PluginResult<Kind extends PluginRequestKind> = z.infer<(typeof pluginResultSchemas)[Kind]>;

/** Those of our errors that a plugin may give. */
export const pluginErrorCodes = [
  "source.unreachable",
  "source.denied",
  "source.failed",
  "source.unsupported",
  "target.failed",
  "fence.failed",
  "cutover.refused",
  "cutover.conflict",
  "program.failed",
] as const;

export const pluginMessageSchema = z
  .union([
    z.strictObject({
      progress: z.strictObject({
        unit: z.string().max(40).optional(),
        itemsDone: z.int().nonnegative().optional(),
        itemsTotal: z.int().nonnegative().optional(),
      }),
    }),
    z.strictObject({
      log: z.strictObject({ level: z.enum(["debug", "info", "warn"]), message: z.string().max(10_000) }),
    }),
    z.strictObject({ warning: shortText }),
    z.strictObject({ result: z.record(z.string(), z.unknown()) }),
    z.strictObject({
      error: z.strictObject({ code: z.enum(pluginErrorCodes), message: shortText, hint: shortText.optional() }),
    }),
  ])
  .meta({ description: "A line that a plugin writes after its hello. An empty progress says that it is alive." });
export type PluginMessage = z.infer<typeof pluginMessageSchema>;

export const pluginFrameSchema = z
  .union([
    z
      .strictObject({ stream: streamNameSchema, bytes: z.int().positive() })
      .meta({ description: "So many bytes follow." }),
    z
      .strictObject({ end: streamNameSchema, bytes: z.int().nonnegative(), sha256: z.string().optional() })
      .meta({ description: "The stream is whole; bytes are all that it had." }),
    z.strictObject({ seal: z.int().nonnegative() }).meta({ description: "All is said; so many streams there were." }),
  ])
  .meta({ description: "A line on descriptor 3, in either direction." });
export type PluginFrame = z.infer<typeof pluginFrameSchema>;
