/** What a switch has done to the sequences of a recovered cluster, kept in its folder for the report: the act itself tells nobody. */
import { z } from "zod";
import { folderRecord } from "../../platform/folder-server/folder-record.ts";

const record = folderRecord("refloat-sequences.json", z.array(z.string()), {
  what: "what the switch has done to sequences",
  hint: "it is for the report alone, and can be removed; where the sequences stand now pg_sequences tells",
});

/** Nothing to say leaves no record. */
export const writeSequenceRecord = (folder: string, said: readonly string[]): Promise<void> =>
  said.length === 0 ? record.remove(folder) : record.write(folder, [...said]);

/** @throws RefloatError target.failed */
export const readSequenceRecord = async (folder: string): Promise<readonly string[]> =>
  (await record.read(folder)) ?? [];

/** A cluster may have been captured with one. */
export const removeSequenceRecord = record.remove;
