/** An incident: somebody's word that a service has been wrong since a moment. Kept in the vault. */
import { z } from "zod";
import { nameSchema, snapshotIdSchema } from "./identifiers.ts";

export const incidentSchema = z.object({
  /** Of its first record in the vault. */
  id: snapshotIdSchema,
  service: nameSchema,
  /** What was read after this instant is in doubt. */
  since: z.iso.datetime(),
  reason: z.string().nullable(),
  /** Who opened it. */
  by: z.string(),
  openedAt: z.iso.datetime(),
  /** Null while it is open. */
  closedAt: z.iso.datetime().nullable(),
  closedBy: z.string().nullable(),
});
export type Incident = z.infer<typeof incidentSchema>;
