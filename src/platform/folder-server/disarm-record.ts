/**
 * What was disarmed of a restored server, in its data folder: written before anything of it can act, and kept with it whatever becomes of the machine
 * that recovered it. What is recorded is the technology's own.
 */
import type { z } from "zod";
import { type FolderRecord, folderRecord } from "./folder-record.ts";

export const disarmRecordName = "refloat-disarmed.json";

/** @param hint for one that cannot be read: what it says, and what to do without it */
export const disarmRecordsOf = <Content>(schema: z.ZodType<Content>, hint: string): FolderRecord<Content> =>
  folderRecord(disarmRecordName, schema, { what: "what a recovery has disarmed", hint });
