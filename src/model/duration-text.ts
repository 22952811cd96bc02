/** A duration as people write it in the file. */
import { z } from "zod";

/** `15m`, `1h30m`, `250ms`; Go's form. Kept as text in the file's schema, read by core/time/duration.ts. */
export const durationTextSchema = z
  .string()
  .regex(/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/, "a duration is a number with a unit, such as 30s, 15m, 1h30m or 7d")
  .meta({ description: "A duration: 30s, 15m, 1h30m, 7d." });
