/** One thing wrong (or worth saying) in a person's input, with its place and the likely fix. */
import { z } from "zod";

export const diagnosticSchema = z.object({
  severity: z.enum(["error", "warning"]),
  /** Stable: `config.unknown-key`. */
  code: z.string(),
  message: z.string(),
  file: z.string(),
  /** 1-based. */
  line: z.int().positive(),
  column: z.int().positive(),
  /** Length of the offending text, for the carets; 0 when it has none. */
  length: z.int().nonnegative(),
  /** The source line as written. */
  excerpt: z.string(),
  /** `services.shop.components.app`. */
  path: z.string(),
  /** Said at the place instead of the excerpt, when one line cannot show it: `app > worker (31:21) > app (44:16)`. */
  trail: z.string().optional(),
  hint: z.string().optional(),
});
export type Diagnostic = z.infer<typeof diagnosticSchema>;
