/** A stretch of a component's log that the vault holds without a gap, and the moments by which a time is found in it. */
import { z } from "zod";
import { nameSchema } from "./identifiers.ts";

/**
 * A place in a log: two hexadecimal numbers of 32 bits, the higher one first, that count its bytes. PostgreSQL's LSN is one as it stands:
 * `0/3000060`.
 */
export const logPositionSchema = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);

export const logSpanSchema = z.object({
  service: nameSchema,
  component: nameSchema,
  /** Type of the component. */
  driver: z.string(),
  /** What positions can be compared within: `SYSTEMID/TIMELINE` for PostgreSQL. */
  line: z.string().regex(/^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/),
  /** Half open: the bytes from `from` up to, and without, the one at `to`. */
  from: logPositionSchema,
  to: logPositionSchema,
  /** By the source's clock. What was committed up to `toAt` is in it. */
  fromAt: z.iso.datetime(),
  toAt: z.iso.datetime(),
});
export type LogSpan = z.infer<typeof logSpanSchema>;

/** The log ended at `position` when it was `at`, by the source's clock: nothing before it was committed later. */
export const logMomentSchema = z.object({ position: logPositionSchema, at: z.iso.datetime() });
export type LogMoment = z.infer<typeof logMomentSchema>;
