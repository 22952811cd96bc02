import { z } from "zod";

/** A value that survives JSON unchanged: what may be journaled, put in a plan or a manifest. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type JsonObject = { readonly [key: string]: Json };

export const jsonSchema: z.ZodType<Json> = z.json();

export const jsonObjectSchema: z.ZodType<JsonObject> = z.record(z.string(), jsonSchema) as z.ZodType<JsonObject>;

/** The JSON of a record, as it would come back from a file: absent keys stay away, dates become text. */
export const toJsonObject = (record: object): JsonObject => JSON.parse(JSON.stringify(record)) as JsonObject;
