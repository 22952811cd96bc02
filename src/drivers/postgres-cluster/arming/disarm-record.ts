/** What was disarmed of a restored cluster, in its data folder: written before the cluster can act for anybody, until all of it is armed or left off for good. */
import { z } from "zod";
import { disarmRecordsOf } from "../../../platform/folder-server/disarm-record.ts";

const settingSchema = z.object({
  /** Secrets are left out of it. */
  shown: z.string(),
  /** Of what it truly was. */
  sha256: z.string(),
  isOn: z.boolean(),
});
export type RecordedSetting = z.infer<typeof settingSchema>;

const subscriptionSchema = z.object({ database: z.string(), name: z.string(), slot: z.string().nullable() });
export type Subscription = z.infer<typeof subscriptionSchema>;

/** In place of a number: of those that are there it could not be told which are active. */
export const allJobs = "*";

/** The command is left out: it may have a secret in it. */
const jobSchema = z.object({
  database: z.string(),
  id: z.string(),
  name: z.string().nullable(),
  schedule: z.string(),
});
export type CronJob = z.infer<typeof jobSchema>;

const recordSchema = z.object({
  /** Whose doing it is: `run 42`. */
  by: z.string(),
  at: z.iso.datetime(),
  /** What would be in force without us, as its configuration says; null where that could not be read, and `unknown` says why. */
  settings: z.record(z.string(), settingSchema).nullable(),
  unknown: z.string().nullable(),
  /** Those that were enabled. */
  subscriptions: z.array(subscriptionSchema),
  /** Those that were active, where pg_cron was loaded. */
  jobs: z.array(jobSchema),
  /** Names of items. */
  armed: z.array(z.string()),
  left: z.array(z.string()),
  /** Arming them has begun. */
  begun: z.array(z.string()),
  /** While it goes on: both settings files as they were, to be put back. */
  before: z.object({ automatic: z.string(), kept: z.string() }).nullable(),
  /** Settings that are what they were before again. */
  back: z.array(z.string()),
});
export type DisarmRecord = z.infer<typeof recordSchema>;

/** Null of a server that no run has restored. */
export const {
  read: readDisarmRecord,
  write: writeDisarmRecord,
  remove: removeDisarmRecord,
} = disarmRecordsOf(
  recordSchema,
  "it says what archived, replicated and ran by itself before the recovery: give it to its owner again, or move it away and arm the cluster by hand (docs/postgres-cluster.md)",
);
