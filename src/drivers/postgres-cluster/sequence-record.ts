/** What a switch has done to the sequences of a recovered cluster, kept in its folder for the report: the act itself tells nobody. */
import { z } from "zod";
import { folderRecord } from "../../platform/folder-server/folder-record.ts";

const recordSchema = z.object({
  /** Where the side that it was read of had stopped: another switch has another one. */
  stoppedAt: z.string(),
  moved: z.array(z.string()),
  left: z.array(z.string()),
});
export type SequenceRecord = z.infer<typeof recordSchema>;

const record = folderRecord("refloat-sequences.json", recordSchema, {
  what: "what the switch has done to sequences",
  hint: "it is for the report alone, and can be removed; where the sequences stand now pg_sequences tells",
});

/** Nothing to say leaves no record. */
export const writeSequenceRecord = (folder: string, content: SequenceRecord): Promise<void> =>
  content.moved.length + content.left.length === 0 ? record.remove(folder) : record.write(folder, content);

/** Null where nothing was to say. @throws RefloatError target.failed */
export const readSequenceRecord = record.read;

/** A cluster may have been captured with one. */
export const removeSequenceRecord = record.remove;
