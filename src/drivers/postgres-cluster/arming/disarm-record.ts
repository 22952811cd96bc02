/** What was disarmed of a restored cluster, in its data folder: written before the cluster can act for anybody, until all of it is armed or left off for good. */
import { lstat, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RefloatError } from "../../../model/refloat-error.ts";
import { writeFileAtomically } from "../../../platform/atomic-file.ts";

export const recordName = "refloat-disarmed.json";

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

/** Null where nothing was recorded. @throws RefloatError target.failed for one that cannot be read */
export const readDisarmRecord = async (folder: string): Promise<DisarmRecord | null> => {
  const path = join(folder, recordName);
  try {
    return recordSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new RefloatError("target.failed", `what a recovery has disarmed cannot be read in ${path}`, {
      cause,
      hint: "it says what archived, replicated and ran by itself before the recovery: give it to its owner again, or move it away and arm the cluster by hand (docs/postgres-cluster.md)",
    });
  }
};

export const writeDisarmRecord = async (folder: string, record: DisarmRecord): Promise<void> => {
  const { uid, gid } = await lstat(folder);
  await writeFileAtomically(join(folder, recordName), `${JSON.stringify(record, null, 2)}\n`, 0o600, { uid, gid });
};

export const removeDisarmRecord = (folder: string): Promise<void> => rm(join(folder, recordName), { force: true });
