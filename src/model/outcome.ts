import { z } from "zod";

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
});
export type CheckOutcome = z.infer<typeof checkOutcomeSchema>;
