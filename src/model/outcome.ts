import { z } from "zod";

const offendersSchema = z.object({
  count: z.int().nonnegative(),
  /** A few of them, cut short and without control characters. */
  samples: z.array(z.string()),
});

/** What the comparison of an invariant's two sets found. */
const linkCountsSchema = z.object({
  /** How many different values each side has. */
  every: z.int().nonnegative(),
  in: z.int().nonnegative(),
  /** Named, and not there. */
  broken: offendersSchema,
  /** There, and named by nothing. */
  orphans: offendersSchema,
  /** The side that has nothing at all, although the other one does: its state may be missing. */
  empty: z.enum(["every", "in"]).optional(),
});
export type LinkCounts = z.infer<typeof linkCountsSchema>;

/**
 * What a check, an invariant or a comparison with facts found. An expected result of recovery work,
 * so it is data and not an exception.
 */
export const checkOutcomeSchema = z.object({
  /** What was asked, in a person's words: `sql: select count(*) = 0 from products where price <= 0`. */
  subject: z.string(),
  kind: z.string(),
  component: z.string().optional(),
  status: z.enum(["passed", "failed", "skipped"]),
  /** What was found: `false`, `HTTP 502`, `orders: 199,990 rows, captured 200,000`. Never a secret. */
  found: z.string(),
  durationMs: z.number().nonnegative(),
  /** Of an invariant that was asked. */
  links: linkCountsSchema.optional(),
});
export type CheckOutcome = z.infer<typeof checkOutcomeSchema>;

/** A component that does not answer. */
export const silentComponentSchema = z.object({
  component: z.string(),
  /** Else it could not be asked: a secret that is not there, a right that is missing. */
  isDown: z.boolean(),
  found: z.string(),
  /** What starts its server again, as declared, where that does not run and its data are there. */
  start: z.string().optional(),
});
export type SilentComponent = z.infer<typeof silentComponentSchema>;
