/** resume: continue an interrupted run. */
import { z } from "zod";
import { readRun } from "../../operations/runs.ts";
import { resume } from "../../operations/resume.ts";
import { defineCommand } from "../command.ts";
import { executeRuns } from "../execute-run.ts";
import { runNumberOrUidInput } from "../run-number.ts";
import { runArgument } from "../words.ts";

export const resumeCommand = defineCommand({
  name: "resume",
  group: "At 3 a.m.",
  summary: "continue an interrupted, waiting or failed run",
  about: [
    "Takes a run up where it stopped: each step is asked whether its effect is there; what is done is not done twice, what is half done is " +
      "cleared and done again. A cutover that was being undone goes on being undone.",
    "A run that was begun together with runs of other services (recover --with-needs) is taken up with all of them that have not come to a good end.",
    "A run of a machine that is gone is known to the vault by its uid, from the copy that is stored before each cutover.",
  ],
  arguments: [{ ...runArgument, about: "the number of a run, or the uid of one that only the vault knows" }],
  options: [],
  examples: [{ line: "refloat resume 42", about: "go on with run 42" }],
  exits: [3, 4, 5, 6, 7],
  input: z.object({ run: runNumberOrUidInput }),
  act: async ({ run }, context) => {
    const bench = await context.bench();
    // Those that were begun together with it show themselves when they speak.
    const known = typeof run === "string" ? null : [await readRun(bench, run)];
    return executeRuns(context, bench, known, (listener) => resume(bench, { run, listener, signal: context.signal }));
  },
});
