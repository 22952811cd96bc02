/** What this driver keeps in `facts.detail`, for its own restore and validation, and in its position. */
import { z } from "zod";

export const capturedTableSchema = z.object({
  kind: z.enum(["table", "sequence"]),
  /** Below the component's root in the snapshot. */
  file: z.string(),
  engine: z.string(),
});

/** Where a database stood: by the binary log of its server, where it has one, and by its tables. */
export const positionMarkSchema = z.object({
  /** `0-1-4711`, comma separated; null without a binary log. */
  gtid: z.string().nullable(),
  /** Name of a table to its rows and, where it was read for that, CHECKSUM TABLE. */
  tables: z.record(z.string(), z.object({ rows: z.int().nonnegative(), checksum: z.string().nullable() })).nullable(),
});
export type PositionMark = z.infer<typeof positionMarkSchema>;

export const capturedDetailSchema = z.object({
  database: z.string(),
  charset: z.string(),
  collation: z.string(),
  lowerCaseNames: z.int(),
  tables: z.record(z.string(), capturedTableSchema),
  /** Kind to the names: what a restore must have. */
  code: z.record(z.string(), z.array(z.string())),
  /** Events that the server ran. */
  armedEvents: z.array(z.string()),
  binlog: z
    .object({ file: z.string(), position: z.int().nonnegative(), gtid: z.string(), format: z.string() })
    .nullable(),
  /** The server's own, to read names and values by. */
  serverId: z.int(),
});
/** What points of databases and of whole servers have in common: where the binary log of which server stood. */
export const capturedPlaceSchema = capturedDetailSchema.pick({ binlog: true, serverId: true });

export type CapturedDetail = z.infer<typeof capturedDetailSchema>;
