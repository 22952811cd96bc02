/** What a zod schema says about itself: which keys it knows at a path, and their descriptions. Read from its JSON Schema. */
import { z } from "zod";
import type { JsonPath } from "./template.ts";

export type Shape = z.core.JSONSchema.BaseSchema;

const shapes = new WeakMap<z.ZodType, Shape>();

/** The shape of what a person writes (the schema's input). */
export const shapeOf = (schema: z.ZodType): Shape => {
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  shapes.set(schema, shape);
  return shape;
};

const isShape = (value: unknown): value is Shape =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A shape and, where it is a choice, the shapes to choose from. */
const alternatives = (shape: Shape): readonly Shape[] => [
  shape,
  ...[shape.anyOf, shape.oneOf, shape.allOf]
    .flatMap((list) => list ?? [])
    .filter(isShape)
    .flatMap(alternatives),
];

const stepInto = (shape: Shape, step: string | number): readonly Shape[] =>
  alternatives(shape)
    .map((one) => (typeof step === "number" ? one.items : (one.properties?.[step] ?? one.additionalProperties)))
    .filter(isShape);

/** The shapes that are possible at a path. */
export const shapesAt = (shape: Shape, path: JsonPath): readonly Shape[] =>
  path.reduce<readonly Shape[]>((found, step) => found.flatMap((one) => stepInto(one, step)), [shape]);

/** The keys that are known at a path, in the order of the schema. */
export const keysAt = (shape: Shape, path: JsonPath): readonly string[] => [
  ...new Set(
    shapesAt(shape, path)
      .flatMap(alternatives)
      .flatMap(({ properties }) => Object.keys(properties ?? {})),
  ),
];

/** What the schema says that a path is for, if it says. */
export const descriptionAt = (shape: Shape, path: JsonPath): string | undefined =>
  shapesAt(shape, path).find(({ description }) => description !== undefined)?.description;

/** Patterns that text at a path must match. */
export const patternsAt = (shape: Shape, path: JsonPath): readonly string[] =>
  shapesAt(shape, path)
    .flatMap(alternatives)
    .flatMap(({ pattern }) => pattern ?? []);
