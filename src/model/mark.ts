/** A mark: a moment of a service that somebody has named, so that `--at "before upgrade 2.5.0"` can mean it. Kept in the vault. */
import { z } from "zod";
import { nameSchema, snapshotIdSchema } from "./identifiers.ts";

export const markSchema = z.object({
  /** Of its record in the vault; names may repeat. */
  id: snapshotIdSchema,
  service: nameSchema,
  name: z.string(),
  /** The moment that it names. */
  at: z.iso.datetime(),
  /** Who named it. */
  by: z.string(),
  recordedAt: z.iso.datetime(),
});
export type Mark = z.infer<typeof markSchema>;
