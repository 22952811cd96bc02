/** What this driver keeps in `facts.detail` and in positions, and where the data lie in the snapshot. */
import { z } from "zod";
import { settingsSchema, startSchema } from "./server-facts.ts";

/** Below the component's own folder: the data folder as it is restored, with one file in it. */
export const dataName = "data";
export const rdbName = "dump.rdb";

export const capturedDetailSchema = z.object({
  format: z.int(),
  settings: settingsSchema,
  modules: z.array(z.object({ name: z.string(), version: z.string() })),
  functions: z.int(),
  /** By database; null when the keys could not be counted. */
  expiring: z.record(z.string(), z.int()).nullable(),
  usedMemoryBytes: z.int(),
  /** Null when the folder is not on the machine that captured, or could not be looked at. */
  owner: z.object({ user: z.string(), uid: z.int(), gid: z.int() }).nullable(),
  /** Null when the server was started without a file. */
  start: startSchema.nullable(),
});
export type CapturedDetail = z.infer<typeof capturedDetailSchema>;

/** Where a server stood: by its replication log, and by what it counts. */
export const positionMarkSchema = z.object({
  /** Of one life of the server's process; null for a folder on which none runs. */
  runId: z.string().nullable(),
  /** The history of writes that the offset counts in; both null where the server keeps none. */
  replicationId: z.string().nullable(),
  offset: z.int().nullable(),
  /** Keys by database; null when they could not be counted. */
  keys: z.record(z.string(), z.int()).nullable(),
  /** Seconds since 1970 of the last save to disk, and changes since then. */
  savedAt: z.int().nullable(),
  changes: z.int().nullable(),
  /** The life of the restored server whose data it has loaded, as long as nothing was written since; null otherwise. */
  continues: z.string().nullable().default(null),
});
export type PositionMark = z.infer<typeof positionMarkSchema>;
