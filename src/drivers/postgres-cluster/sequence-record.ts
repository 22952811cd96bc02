/** What a switch has done to the sequences of a recovered cluster, kept in its folder for the report. */
import { carriedRecordOf } from "../../platform/folder-server/carried-counters.ts";

export const sequenceRecord = carriedRecordOf("refloat-sequences.json", {
  what: "what the switch has done to sequences",
  hint: "it is for the report alone, and can be removed; where the sequences stand now pg_sequences tells",
});

export const {
  write: writeSequenceRecord,
  /** Null where nothing was to say. @throws RefloatError target.failed */
  read: readSequenceRecord,
  /** A cluster may have been captured with one. */
  remove: removeSequenceRecord,
} = sequenceRecord;
