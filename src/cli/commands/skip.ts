/** skip: leaves a step of a run out, with the reason. */
import { z } from "zod";
import { defineCommand } from "../command.ts";
import { runNumberInput } from "../run-number.ts";
import { sayToRun } from "../say-to-run.ts";
import { runArgument, stepArgument } from "../words.ts";

export const skipCommand = defineCommand({
  name: "skip",
  group: "At 3 a.m.",
  summary: "leave a step of a run out",
  about: [
    "Leaves out a check, a trial, a probe or a manual step of a run that has failed, waits or was interrupted, once it is resumed. What comes later may be " +
      "wrong for it: the reason is kept in the audit log, and the run's report tells it. Steps that others are built on cannot be left out.",
  ],
  arguments: [runArgument, stepArgument],
  options: [{ name: "reason", value: "TEXT", about: "why it is not needed" }],
  examples: [
    {
      line: 'refloat skip 42 check-invariant:invoices-exist --reason "the old invoices are known to be gone"',
      about: "then: refloat resume 42",
    },
  ],
  exits: [3, 4],
  input: z.object({
    run: runNumberInput,
    step: z.string("say which step; refloat runs RUN lists them"),
    reason: z.string("say why: --reason TEXT").trim().min(1, "--reason needs words"),
  }),
  act: ({ run, step, reason }, context) => sayToRun(context, { run, step, reason, evidence: null, says: "skip" }),
});
