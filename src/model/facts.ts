/**
 * Facts: what a driver recorded at capture, cheap to take and enough to tell a true restore from a false one.
 * They travel with the point; every restore is validated against them without a line from the user.
 */
import { z } from "zod";
import { jsonObjectSchema } from "./json.ts";

/** One thing inside a component that can be counted and compared: a table, a directory's files, a release. */
export const factUnitSchema = z.object({
  rows: z.int().nonnegative().optional(),
  sizeBytes: z.int().nonnegative().optional(),
  /** SHA-256 of the unit's canonical content, hex. */
  sha256: z.string().optional(),
});
export type FactUnit = z.infer<typeof factUnitSchema>;

/**
 * Where a source stood at an instant, in the source's own terms (LSN and snapshot for PostgreSQL, newest change for files).
 * Never a wall clock alone. Opaque to all but the driver that wrote it.
 */
export const positionSchema = z.object({ takenAt: z.iso.datetime(), mark: jsonObjectSchema });
export type Position = z.infer<typeof positionSchema>;

export const factsSchema = z.object({
  /** Logical size of the data, before compression and deduplication. */
  sizeBytes: z.int().nonnegative(),
  /** What people read in plans and reports: `{ tables: 23 }`, `{ files: 5012 }`. */
  counts: z.record(z.string(), z.int().nonnegative()),
  units: z.record(z.string(), factUnitSchema),
  /** SHA-256 of the schema (DDL) or layout, hex; differs when a dependent may see another shape. */
  schemaHash: z.string().optional(),
  position: positionSchema.optional(),
  /** Programs and servers that made it: `{ server: "15.18", pg_dump: "15.18" }`. */
  versions: z.record(z.string(), z.string()),
  /** The driver's own notes, e.g. extensions, locale, link target of a release. */
  detail: jsonObjectSchema,
});
export type Facts = z.infer<typeof factsSchema>;
