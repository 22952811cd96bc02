/** What an assessment found: how the live service differs from a point, what of that looks like damage, and what would mend it. */
import { z } from "zod";
import { mendedRowsSchema, mendedTableSchema } from "./mend.ts";
import { checkOutcomeSchema } from "./outcome.ts";

export const assessedTableSchema = z.object({
  name: z.string(),
  kind: z.enum(["added", "removed", "changed"]),
  /** Rows at the point and now, where known. */
  before: z.number().nullable(),
  after: z.number().nullable(),
  /** Row by row; null where that was not done. */
  rows: mendedTableSchema.nullable(),
  /** Why it was not. */
  unseen: z.string().nullable(),
  /** What looks like damage, in words. */
  signs: z.array(z.string()),
  /** What would mend it by rows; null where nothing would. */
  cure: z
    .object({
      /** Rows that come back or are changed. */
      rows: z.int().nonnegative(),
      kinds: z.array(mendedRowsSchema),
      /** Null for whole rows. */
      columns: z.array(z.string()).nullable(),
      /** Changes since the point that go with it and show no sign. */
      others: z.int().nonnegative(),
    })
    .nullable(),
});
export type AssessedTable = z.infer<typeof assessedTableSchema>;

export const assessedComponentSchema = z.object({
  component: z.string(),
  state: z.enum(["equal", "changed", "added", "removed", "unreadable"]),
  /** Why the live side could not be read. */
  problem: z.string().nullable(),
  schemaChanged: z.boolean(),
  tables: z.array(assessedTableSchema),
  files: z.object({ added: z.number(), removed: z.number(), changed: z.number() }),
  /** The first files that are gone or have another content. */
  samples: z.array(z.object({ path: z.string(), kind: z.enum(["removed", "changed"]) })),
  /** What is known of it besides, for people. */
  notes: z.array(z.string()),
  /** Why no rows of it were compared, and what to type to have that done; null where they were, or it has none. */
  unseen: z.string().nullable(),
  /** Does anything of it look like damage? */
  damaged: z.boolean(),
});
export type AssessedComponent = z.infer<typeof assessedComponentSchema>;

/** One way to mend it, the smallest first. */
export const cureSchema = z.object({
  kind: z.enum(["start", "mend", "extract", "recover"]),
  /** What it does, for people. */
  words: z.string(),
  command: z.string(),
  component: z.string().nullable(),
  /** How long it is likely to take; null where nothing is known. */
  predictedMs: z.number().nullable(),
  /** What it loses, per component; `nothing` when empty. */
  loses: z.array(z.string()),
  /** What it does not mend. */
  leaves: z.array(z.string()),
  /** Why it cannot be done now. */
  refused: z.string().nullable(),
});
export type Cure = z.infer<typeof cureSchema>;

export const assessmentSchema = z.object({
  service: z.string(),
  point: z.string(),
  consistentAt: z.string(),
  at: z.string(),
  /** What speaks against comparing with this point. */
  doubts: z.array(z.string()),
  /** Probe, checks and invariants, asked of what is live. */
  answers: z.array(checkOutcomeSchema),
  components: z.array(assessedComponentSchema),
  cures: z.array(cureSchema),
});
