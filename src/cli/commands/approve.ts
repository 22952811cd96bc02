/** approve: answers an approval gate of a run from another terminal. */
import { z } from "zod";
import { defineCommand } from "../command.ts";
import { runNumberInput } from "../run-number.ts";
import { sayToRun } from "../say-to-run.ts";
import { runArgument, stepArgument } from "../words.ts";

export const approveCommand = defineCommand({
  name: "approve",
  group: "At 3 a.m.",
  summary: "answer an approval gate",
  about: [
    "Says yes to a run that asks before its cutover, from any terminal of the machine. Whose yes counts, how many it takes and how long one holds stands " +
      "in approve: of the service; two yeses of one person are one. A run that waits goes on by refloat resume.",
    "--override opens the gate against its rules, when nobody of its roles can be reached. The reason is kept in the audit log, and the run, its report and " +
      "everybody who follows it tell it.",
  ],
  arguments: [runArgument, { ...stepArgument, required: false }],
  options: [
    { name: "deny", about: "say no: the run stops before its cutover, and live stays as it is" },
    { name: "override", about: "open the gate against its rules; needs --reason" },
    { name: "reason", value: "TEXT", about: "why" },
  ],
  examples: [
    { line: "refloat approve 42", about: "one yes" },
    { line: 'refloat approve 42 --override --reason "nobody of dba answers the phone"', about: "break the glass" },
  ],
  exits: [3, 4],
  input: z
    .object({
      run: runNumberInput,
      step: z.string().nullable().default(null),
      deny: z.boolean().default(false),
      override: z.boolean().default(false),
      reason: z.string().trim().min(1, "--reason needs words").nullable().default(null),
    })
    .refine(({ deny, override }) => !deny || !override, "a gate is refused or opened, not both")
    .refine(
      ({ override, reason }) => !override || reason !== null,
      "--override needs --reason TEXT: it will be asked for",
    ),
  act: ({ run, step, deny, override, reason }, context) =>
    sayToRun(context, { run, step, reason, evidence: null, says: override ? "override" : deny ? "no" : "yes" }),
});
