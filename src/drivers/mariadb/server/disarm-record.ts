/** What was disarmed of a restored server, in its data folder: written before anything of it can act, and kept with it whatever becomes of the machine that recovered it. */
import { z } from "zod";
import { disarmRecordsOf } from "../../../platform/folder-server/disarm-record.ts";

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

/** Null of a server that no run has restored. */
export const { read: readDisarmRecord, write: writeDisarmRecord } = disarmRecordsOf(
  recordSchema,
  "it names the events that ran before the recovery: give it to its owner again, or move it away and switch the events on by hand (docs/mariadb-server.md)",
);

/** So that no two events have one name, whatever characters are in it. */
const plain = (database: string): string => database.replaceAll("%", "%25").replaceAll("/", "%2f");

/** `event:shop/tick`. */
export const eventItem = ({ database, name }: Pick<RecordedEvent, "database" | "name">): string =>
  `event:${plain(database)}/${name}`;
