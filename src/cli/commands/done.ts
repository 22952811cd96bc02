/** done: tells a run that a manual step was done, and what was seen. */
import { z } from "zod";
import { defineCommand } from "../command.ts";
import { runNumberInput } from "../run-number.ts";
import { sayToRun } from "../say-to-run.ts";
import { runArgument, stepArgument } from "../words.ts";

export const doneCommand = defineCommand({
  name: "done",
  group: "At 3 a.m.",
  summary: "finish a manual step",
  about: [
    "Tells a run that a step which people do by hand is done, and what was seen; the run's report and the audit log keep both. A run that waits goes on by " +
      "refloat resume. Without STEP it is the one that waits.",
  ],
  arguments: [runArgument, { ...stepArgument, required: false }],
  options: [
    { name: "evidence", value: "TEXT", about: "what you saw: a status, a ticket, a line of output" },
    { name: "failed", about: "it could not be done: the run stops there" },
  ],
  examples: [
    {
      line: 'refloat done 42 move-the-payment-webhook --evidence "test event answered 200"',
      about: "one step of several",
    },
    { line: 'refloat done 42 --failed --evidence "the console is down"', about: "the run fails before its cutover" },
  ],
  exits: [3, 4],
  input: z.object({
    run: runNumberInput,
    step: z.string().nullable().default(null),
    evidence: z.string("say what you saw: --evidence TEXT").trim().min(1, "--evidence needs words"),
    failed: z.boolean().default(false),
  }),
  act: ({ run, step, evidence, failed }, context) =>
    sayToRun(context, { run, step, reason: null, evidence, says: failed ? "failed" : "done" }),
});
