/**
 * The published JSON Schema of `refloat.yaml`, for editors: generated from the schemas that the parser itself uses and from the
 * option schemas of the drivers. It says what a key may hold; what holds between keys (references, cycles) only
 * `refloat validate` can say. Draft 7, which all editors know.
 */
import { z } from "zod";
import {
  checkFileSchema,
  componentFileSchema,
  cutoverFileSchema,
  declarationFileSchema,
  invariantFileSchema,
  provisionFileSchema,
  serviceFileSchema,
  setFileSchema,
} from "../model/declaration-file.ts";
import { emailTargetSchema, webhookTargetSchema } from "../model/notification.ts";
import { RefloatError } from "../model/refloat-error.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;
type Properties = { readonly [key: string]: JsonSchema };

/** As much of a driver as the file sees. */
export type SchemaDrivers = {
  readonly components: Iterable<{ readonly type: string; readonly summary: string; readonly options: z.ZodType }>;
  readonly checks: Iterable<{ readonly kind: string; readonly summary: string; readonly options: z.ZodType }>;
  readonly sets: Iterable<{ readonly kind: string; readonly summary: string; readonly options: z.ZodType }>;
  readonly traffic: Iterable<{ readonly kind: string; readonly summary: string; readonly options: z.ZodType }>;
  readonly provisions: Iterable<{ readonly type: string; readonly summary: string; readonly options: z.ZodType }>;
};

export const declarationSchemaId = "urn:refloat:schema:declaration:v1";

export const buildDeclarationSchema = (drivers: SchemaDrivers): JsonSchema => {
  const types = [...drivers.components].map(({ type, summary, options }) => ({ word: type, summary, options }));
  const kinds = [...drivers.checks].map(({ kind, summary, options }) => ({ word: kind, summary, options }));
  const sets = [...drivers.sets].map(({ kind, summary, options }) => ({ word: kind, summary, options }));
  const ways = [...drivers.traffic].map(({ kind, summary, options }) => ({ word: kind, summary, options }));
  const makers = [...drivers.provisions].map(({ type, summary, options }) => ({ word: type, summary, options }));
  const file = objectOf(declarationFileSchema, "the file");
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    $id: declarationSchemaId,
    title: "refloat.yaml",
    description: "What services are made of, and how to tell that they work.",
    ...file,
    properties: {
      ...file.properties,
      services: withItems(file.properties["services"], reference("service")),
      notify: {
        ...file.properties["notify"],
        items: { anyOf: [reference("notify-webhook"), reference("notify-email")] },
      },
    },
    definitions: {
      "notify-webhook": objectOf(webhookTargetSchema, "a webhook"),
      "notify-email": objectOf(emailTargetSchema, "a mail"),
      service: serviceSchema(),
      provision: typedSchema("provision", "What must be there before anything is restored.", makers),
      ...definitions("provision", makers.map(ofType(provisionFileSchema, "what is provisioned by"))),
      component: typedSchema("component", "A part of the service that is captured and restored as one.", types),
      ...definitions("component", types.map(ofType(componentFileSchema, "components of type"))),
      check: entrySchema("check", kinds),
      ...definitions("check", kinds.map(entryOfKind("check", checkFileSchema))),
      invariant: invariantSchema(),
      set: entrySchema("set", sets),
      ...definitions("set", sets.map(entryOfKind("set", setFileSchema))),
      cutover: entrySchema("cutover", ways),
      ...definitions("cutover", ways.map(entryOfKind("cutover", cutoverFileSchema))),
    },
  };
};

type Word = { readonly word: string; readonly summary: string; readonly options: z.ZodType };
type Named = { readonly word: string; readonly schema: JsonSchema };

const reference = (name: string): JsonSchema => ({ $ref: `#/definitions/${name}` });

// oxlint-disable-next-line unicorn/no-thenable -- the word is JSON Schema's; nobody awaits a schema
const when = (condition: JsonSchema, consequence: JsonSchema): JsonSchema => ({ if: condition, then: consequence });

const definitions = (noun: string, named: readonly Named[]): Properties =>
  Object.fromEntries(named.map(({ word, schema }) => [`${noun}-${word}`, schema]));

/** The JSON Schema of what a person writes, without limits that only say how large a number of JavaScript can be. */
const schemaOf = (schema: z.ZodType): JsonSchema => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    target: "draft-7",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return rest;
};

type ObjectSchema = { readonly properties: Properties; readonly required: string[]; readonly [key: string]: unknown };

const objectOf = (schema: z.ZodType, what: string): ObjectSchema => {
  const found = schemaOf(schema);
  if (found.type !== "object" || found.properties === undefined)
    throw new RefloatError("bug", `the schema of ${what} is not an object of keys`);
  return { ...found, properties: found.properties as Properties, required: found.required ?? [] };
};

const withItems = (schema: JsonSchema | undefined, additionalProperties: JsonSchema): JsonSchema => ({
  ...schema,
  additionalProperties,
});

const serviceSchema = (): JsonSchema => {
  const service = objectOf(serviceFileSchema, "a service");
  const { components, cutover, invariants, provision } = service.properties;
  return {
    ...service,
    properties: {
      ...service.properties,
      probe: {
        description: "The user journey at the stable name: what tells that the service is back.",
        anyOf: [{ type: "string", pattern: "^(https?://|\\$\\{)" }, reference("check-http")],
        examples: ["http://127.0.0.1:8080/health"],
      },
      provision: withItems(provision, reference("provision")),
      components: { ...withItems(components, reference("component")), minProperties: 1 },
      invariants: withItems(invariants, reference("invariant")),
      cutover: { ...cutover, items: reference("cutover") },
    },
    anyOf: [{ required: ["components"] }, { required: ["manual"] }],
  };
};

/** A side is a query or pattern of its component, or a set of some kind. */
const invariantSchema = (): JsonSchema => {
  const invariant = objectOf(invariantFileSchema, "an invariant");
  const side = (schema: JsonSchema | undefined): JsonSchema => ({
    ...withItems(schema, { anyOf: [{ type: "string" }, reference("set")] }),
    minProperties: 1,
    maxProperties: 1,
  });
  const { every, in: within } = invariant.properties;
  return { ...invariant, properties: { every: side(every), in: side(within) } };
};

/** `type` chooses which other keys there are. */
const typedSchema = (noun: "component" | "provision", description: string, types: readonly Word[]): JsonSchema => ({
  type: "object",
  description,
  properties: {
    type: {
      description: noun === "component" ? "The technology: which driver captures and restores it." : "How it is made.",
      enum: types.map(({ word }) => word),
      enumDescriptions: types.map(({ summary }) => summary),
    },
  },
  required: ["type"],
  allOf: types.map(({ word }) =>
    when({ properties: { type: { const: word } }, required: ["type"] }, reference(`${noun}-${word}`)),
  ),
});

const ofType =
  (commonSchema: z.ZodType, what: string) =>
  ({ word, summary, options }: Word): Named => {
    const common = objectOf(commonSchema, `${what} any type`);
    const own = objectOf(options, `${what} ${word}`);
    const { type: _any, checks, ...rest } = common.properties;
    return {
      word,
      schema: {
        ...own,
        description: summary,
        properties: {
          type: { const: word, description: summary },
          ...own.properties,
          ...rest,
          checks: { ...checks, items: reference("check") },
        },
        required: ["type", ...own.required],
        additionalProperties: false,
      },
    };
  };

/** The one key that names the kind chooses which other keys there are. */
const entrySchema = (noun: string, kinds: readonly Word[]): JsonSchema => ({
  type: "object",
  description: `Starts with its kind: ${kinds.map(({ word }) => word).join(", ")}.`,
  properties: Object.fromEntries(kinds.map(({ word, summary }) => [word, { description: summary }])),
  anyOf: kinds.map(({ word }) => ({ required: [word] })),
  allOf: kinds.map(({ word }) => when({ required: [word] }, reference(`${noun}-${word}`))),
});

const entryOfKind =
  (noun: string, commonSchema: z.ZodType) =>
  ({ word, summary, options }: Word): Named => {
    const common = objectOf(commonSchema, `a ${noun}`);
    const own = objectOf(options, `the ${noun} ${word}`);
    return {
      word,
      schema: {
        ...own,
        description: summary,
        properties: { ...own.properties, ...without(common.properties, own.properties) },
        required: own.required,
        additionalProperties: false,
      },
    };
  };

const without = (properties: Properties, known: Properties): Properties =>
  Object.fromEntries(Object.entries(properties).filter(([key]) => !Object.hasOwn(known, key)));
