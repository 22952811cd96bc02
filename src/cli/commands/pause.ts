/** pause: holds a run before its next step. */
import { z } from "zod";
import { defineCommand } from "../command.ts";
import { runNumberInput } from "../run-number.ts";
import { sayToRun } from "../say-to-run.ts";
import { runArgument } from "../words.ts";

export const pauseCommand = defineCommand({
  name: "pause",
  group: "At 3 a.m.",
  summary: "hold a run",
  about: [
    "Holds a run that another terminal executes: steps under way end, none begins any more, and the run waits until refloat resume. Refused in the cutover, " +
      "where users would wait as long as the pause.",
  ],
  arguments: [runArgument],
  options: [{ name: "reason", value: "TEXT", about: "why; told to whoever looks at the run" }],
  examples: [{ line: 'refloat pause 42 --reason "the vendor wants a look first"', about: "then: refloat resume 42" }],
  exits: [3, 4],
  input: z.object({
    run: runNumberInput,
    reason: z.string().trim().min(1, "--reason needs words").nullable().default(null),
  }),
  act: ({ run, reason }, context) => sayToRun(context, { run, step: null, reason, evidence: null, says: "pause" }),
});
