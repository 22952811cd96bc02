/** What was disarmed of a restored server, in its data folder: written before anything of it can act, and kept with it whatever becomes of the machine that recovered it. */
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RefloatError } from "../../../model/refloat-error.ts";
import { writeFileAtomically } from "../../../platform/atomic-file.ts";

const recordName = "refloat-disarmed.json";

const recordedEventSchema = z.object({
  database: z.string(),
  name: z.string(),
  schedule: z.string(),
  /** False for one that was off for another server already where it was captured. */
  ran: z.boolean(),
});
export type RecordedEvent = z.infer<typeof recordedEventSchema>;

const recordSchema = z.object({
  /** Whose doing it is: `run 42`. */
  by: z.string(),
  at: z.iso.datetime(),
  events: z.array(recordedEventSchema),
  /** Names of items, each in one of the three at most. */
  armed: z.array(z.string()),
  left: z.array(z.string()),
  /** Arming them has begun, and nobody has heard how that ended. */
  begun: z.array(z.string()),
});
export type DisarmRecord = z.infer<typeof recordSchema>;

/** Null for a server that no run has restored. @throws RefloatError target.failed for one that cannot be read */
export const readDisarmRecord = async (folder: string): Promise<DisarmRecord | null> => {
  const path = join(folder, recordName);
  try {
    return recordSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new RefloatError("target.failed", `what a recovery has disarmed cannot be read in ${path}`, {
      cause,
      hint: "it names the events that ran before the recovery: give it to its owner again, or move it away and switch the events on by hand (docs/mariadb-server.md)",
    });
  }
};

export const writeDisarmRecord = async (folder: string, record: DisarmRecord): Promise<void> => {
  const { uid, gid } = await lstat(folder);
  await writeFileAtomically(join(folder, recordName), `${JSON.stringify(record, null, 2)}\n`, 0o600, { uid, gid });
};

/** So that no two events have one name, whatever characters are in it. */
const plain = (database: string): string => database.replaceAll("%", "%25").replaceAll("/", "%2f");

/** `event:shop/tick`. */
export const eventItem = ({ database, name }: Pick<RecordedEvent, "database" | "name">): string =>
  `event:${plain(database)}/${name}`;
