/** The dependency graph of one service, as stored with every recovery point. */
import { z } from "zod";

export const edgeSchema = z.object({
  /** The dependent. */
  from: z.string(),
  /** What it depends on. */
  to: z.string(),
  /**
   * `hard`: restore, start and binding order (a DAG). `uses`: may cycle, orders nothing, checked after start.
   * `data`: rows of `from` name objects in `to`; decides capture order (referrer first).
   */
  kind: z.enum(["hard", "uses", "data"]),
  /** Where it was declared: `dependsOn`, `uses`, `${db.url}`, `invariants.invoices-exist`. */
  via: z.string(),
});
export type Edge = z.infer<typeof edgeSchema>;

export const graphSchema = z.object({
  nodes: z.array(z.object({ name: z.string(), type: z.string() })),
  edges: z.array(edgeSchema),
});
export type Graph = z.infer<typeof graphSchema>;
