/** What this driver keeps in `facts.detail`, for its own restore and validation. */
import { z } from "zod";
import { databaseFactsSchema } from "./database-facts.ts";
import { schemaShapeSchema } from "./schema-shape.ts";

export const capturedDetailSchema = z.object({
  database: databaseFactsSchema,
  shape: schemaShapeSchema,
  /** Of the archive's rows and definitions. */
  encoding: z.string(),
  /** Dump id of an archive's entry of rows to the name of its fact. */
  labels: z.record(z.string(), z.string()),
});

/** Name of the fact that stands for all large objects together. */
export const largeObjectsUnit = "large objects";
