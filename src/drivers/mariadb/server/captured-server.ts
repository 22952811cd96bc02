/** What this driver keeps in `facts.detail`, for its own restore and validation, and in its position. */
import { z } from "zod";
import { capturedPlaceSchema } from "../captured-detail.ts";

/** `to` is null for one that is to go. */
export const fileChangeSchema = z.object({ path: z.string(), to: z.string().nullable() });
export type FileChange = z.infer<typeof fileChangeSchema>;

/** How a server was started by people. */
export const serverStartSchema = z.object({
  /** Absolute path, and all words behind it. */
  program: z.string(),
  words: z.array(z.string()),
  /** Where what it says goes to before its own log begins; null when that is in the data folder, or nowhere. */
  log: z.string().nullable(),
});
export type ServerStart = z.infer<typeof serverStartSchema>;

export const capturedServerSchema = capturedPlaceSchema.extend({
  /** Up to here InnoDB's log is in the point. */
  lsn: z.string(),
  /** What the files cannot be read without, by the names of the server's options. */
  settings: z.record(z.string(), z.string()),
  /** Of all files but those that tell of the backup itself, as mariadb-backup names them. */
  databases: z.array(z.string()),
  changes: z.array(fileChangeSchema),
  /** Null when the folder could not be looked at. */
  owner: z.object({ user: z.string(), uid: z.int(), gid: z.int() }).nullable(),
  start: serverStartSchema.nullable(),
});
export type CapturedServer = z.infer<typeof capturedServerSchema>;

/** Rows written, changed and removed, and statements that define something, since a server was started. */
export const countsSchema = z.object({
  added: z.number(),
  changed: z.number(),
  removed: z.number(),
  definitions: z.number(),
});
export type Counts = z.infer<typeof countsSchema>;

/** What a server's own counts and its binary log tell of what was written. */
export const serverMarkSchema = z.object({
  /** Of the process that counts; null where none ran. Another one has begun at zero. */
  life: z.string().nullable(),
  counts: countsSchema.nullable(),
  binlog: z.object({ file: z.string(), position: z.number() }).nullable(),
  /** It began with the data of another one, which had counted so much at its end. */
  continues: z.object({ from: z.string(), counts: countsSchema }).nullable(),
});
export type ServerMark = z.infer<typeof serverMarkSchema>;
