/**
 * Branded identifiers. A brand keeps a point id from being passed where a plan digest is meant;
 * at run time each is the plain string or number.
 */
import { z } from "zod";

/** Name of a service, component, invariant or host: what a person types in the file and on the command line. */
export const nameSchema = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,62}$/,
    "a name starts with a letter and has lower-case letters, digits, - and _ (at most 63)",
  )
  .meta({ description: "Lower-case letters, digits, - and _; starts with a letter." });

/** Hex id of a snapshot in the vault, 64 characters; people see and type the first eight. */
export const snapshotIdSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<"SnapshotId">();
export type SnapshotId = z.infer<typeof snapshotIdSchema>;

/** A recovery point is named by the snapshot that holds its manifest. */
export const pointIdSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<"PointId">();
export type PointId = z.infer<typeof pointIdSchema>;

/** SHA-256 over the canonical JSON of a plan's intent, hex; people see the first eight. */
export const planDigestSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<"PlanDigest">();
export type PlanDigest = z.infer<typeof planDigestSchema>;

/** Short, for the phone: counts up from 1 within one state folder. */
export const runNumberSchema = z.int().positive().brand<"RunNumber">();
export type RunNumber = z.infer<typeof runNumberSchema>;

/** `kind:component`, e.g. `restore:db`; unique within a plan. */
export const stepIdSchema = z.string().min(1).brand<"StepId">();
export type StepId = z.infer<typeof stepIdSchema>;

/** How many characters of a hex id are shown and the fewest that are accepted. */
export const shortIdLength = 8;

export const shortId = (id: string): string => id.slice(0, shortIdLength);
