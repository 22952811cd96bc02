/** A mark: a moment of a service that somebody has named, so that `--at "before upgrade 2.5.0"` can mean it. Kept in the vault. */
import { z } from "zod";
import { holdSchema } from "./declaration.ts";
import { nameSchema, snapshotIdSchema } from "./identifiers.ts";

/** One marker in the log of each component that has one, all placed while nothing was committed, or without that. */
export const alignmentSchema = z.object({
  /** `aligned`: the service was held still by its own lines from before the first marker to after the last. `approximate`: it went on. */
  mode: z.enum(["aligned", "approximate"]),
  /** From before the first marker was placed to after the last. */
  windowMs: z.int().nonnegative(),
  /** How long the service was held. */
  heldMs: z.int().nonnegative().optional(),
  /** In which way; by its lines when left out. */
  heldBy: holdSchema.optional(),
  /** Why it is approximate. */
  why: z.string().optional(),
  /** By component: where its marker ends. */
  markers: z.record(
    nameSchema,
    z.object({
      line: z.string(),
      position: z.string(),
      /** By the clock of the source. */
      at: z.iso.datetime(),
      by: z.enum(["restore-point", "transaction"]),
      /** Where it begins, and its number as the source tells it (`0-1-42`), of a log in which a position may be given anew. */
      from: z.string().optional(),
      id: z.string().optional(),
    }),
  ),
  /** By component: why it keeps a log and has no marker. */
  unmarked: z.record(nameSchema, z.string()).optional(),
});
export type Alignment = z.infer<typeof alignmentSchema>;

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
  /** Of a mark that was placed in the logs too. */
  aligned: alignmentSchema.optional(),
});
export type Mark = z.infer<typeof markSchema>;
