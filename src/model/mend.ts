/** What putting rows back from a point would do, as it is shown, kept and answered. */
import { z } from "zod";

/** `changed`: the row is there and differs. `gone`: only the point has it. */
export const mendedRowsSchema = z.enum(["changed", "gone"]);
export type MendedRows = z.infer<typeof mendedRowsSchema>;

export type MendDirection = "mend" | "undo";

export const mendSampleSchema = z.object({
  kind: mendedRowsSchema,
  /** Columns of the key with their values as text. */
  key: z.record(z.string(), z.string()),
  /** What differs; null is SQL's own, or nothing for a row that is gone. */
  columns: z.array(z.object({ name: z.string(), point: z.string().nullable(), live: z.string().nullable() })),
});

export const mendedTableSchema = z.object({
  /** As facts name it: `orders`, `audit.log`. */
  name: z.string(),
  /** False for a table that only comes along because rows refer to it. */
  asked: z.boolean(),
  /** It was dropped, and is made again with all of its rows. */
  made: z.boolean(),
  key: z.array(z.string()),
  /** Of the whole table: rows that are alike, that differ, that only the point has, that only the live side has. */
  equal: z.int().nonnegative(),
  changed: z.int().nonnegative(),
  gone: z.int().nonnegative(),
  newer: z.int().nonnegative(),
  /** What the script puts back. */
  puts: z.object({ changed: z.int().nonnegative(), gone: z.int().nonnegative() }),
  /** In how many of the changed rows that are put back each column differs, and the live value that most of them have. */
  columns: z.array(
    z.object({
      name: z.string(),
      rows: z.int().positive(),
      mostly: z.object({ value: z.string().nullable(), rows: z.int().positive() }),
      /** How many different values those rows have in the point. */
      distinctBefore: z.int().positive(),
    }),
  ),
  samples: z.array(mendSampleSchema),
  /**
   * Of rows of a side that is kept: values that rows which both sides have got there, and that rows have as well which come back. What damaged those may have
   * damaged these.
   */
  alike: z
    .array(
      z.object({
        column: z.string(),
        value: z.string().nullable(),
        /** Rows that differ and have it there; rows that come back and have it. */
        changed: z.int().positive(),
        gone: z.int().positive(),
      }),
    )
    .default([]),
  /** The table's own triggers that would fire: `products_audit, after update`. */
  triggers: z.array(z.string()),
});
export type MendedTable = z.infer<typeof mendedTableSchema>;

/** Rows of the source that the live side does not have, and that are not put back. */
export const leftOutSchema = z.object({
  /** As facts name it. */
  table: z.string(),
  /** Null where nobody can tell how many. */
  rows: z.int().positive().nullable(),
  /** In a person's words: `mails has no primary key: nobody can tell which row is which`. */
  why: z.string(),
  /** CSV with these rows; null where there is none. */
  file: z.string().nullable(),
});
export type LeftOut = z.infer<typeof leftOutSchema>;

export const mendProposalSchema = z.object({
  /** SHA-256 of the script, hex. */
  digest: z.string(),
  /** Of the script that takes it back. */
  undoDigest: z.string(),
  /** Where the rows come from, in words: `point 5d0c88e1 (2026-11-26T14:00:04.112Z)`. */
  source: z.string(),
  /** Of a component that has several: the database whose tables these are. */
  database: z.string().nullable().default(null),
  /** What the tables below are made of; rows when left out. */
  unit: z.enum(["rows", "keys"]).optional(),
  tables: z.array(mendedTableSchema),
  /** Do the triggers named above fire? */
  fireTriggers: z.boolean(),
  /** Can this technology keep them from firing within a transaction? */
  quietsTriggers: z.boolean().default(true),
  warnings: z.array(z.string()),
  leftOut: z.array(leftOutSchema).default([]),
  /** Files with the SQL, or of keys lines of JSON; null when there is nothing to put back. */
  script: z.string().nullable(),
  undo: z.string().nullable(),
  writtenAt: z.iso.datetime(),
  /** The command that compares the same anew: what is live may have been written to since. */
  again: z.string().optional(),
});
export type MendProposal = z.infer<typeof mendProposalSchema>;

/** Rows that the script touches. */
export const rowsPutBack = ({ tables }: Pick<MendProposal, "tables">): number =>
  tables.reduce((sum, { puts }) => sum + puts.changed + puts.gone, 0);
