/** What `plan` and `recover` can be asked for: which moment, which components, how far. */
import { z } from "zod";
import type { OptionDefinition } from "./command.ts";
import { onlyInput } from "./words.ts";

export const planRequestOptions: readonly OptionDefinition[] = [
  {
    name: "at",
    value: "TIME",
    about:
      'the last point at or before it: "2 hours ago", 14:05, 2026-11-20T14:05:00Z; "before upgrade 2.5.0" (a mark), "before run 42", ' +
      '"last verified", a point\'s id; in a received log "before xid 1234", "restore point NAME", "before gtid 0-1-42"; the newest when left out',
  },
  {
    name: "only",
    value: "A,B",
    repeatable: true,
    about: "only these components; the rest is kept as it is live",
    completes: "components",
  },
  { name: "no-cutover", about: "stop before anything live changes: restore beside it, start, check" },
  {
    name: "accept-loss",
    about: "with --only: links of what is kept may break where they name what came after the point",
  },
  {
    name: "failback",
    value: "RUN",
    about:
      "the way home from where this run has recovered the service (its number, or its uid if it ran on another machine): the point is made in the run",
    completes: "runs",
  },
  { name: "approve", about: "ask once more between the checks and the cutover" },
];

/** As `runNumberOrUidInput`; the first letters of a uid will do. */
const failbackInput = z
  .string()
  .regex(
    /^((#|run)?[1-9]\d{0,6}|[0-9a-f]{8}[0-9a-f-]{0,28})$/i,
    "--failback needs the number or the uid of a run: --failback 42",
  )
  .transform((text) => text.toLowerCase().replace(/^(#|run)/, ""))
  .nullable()
  .default(null);

export const planRequestInput = z.object({
  at: z
    .string()
    .refine((text) => text.trim() !== "", '--at needs a time: --at "2 hours ago"')
    .nullable()
    .default(null),
  only: onlyInput,
  cutover: z.boolean().default(true),
  acceptLoss: z.boolean().default(false),
  failback: failbackInput,
  approve: z.boolean().default(false),
});
