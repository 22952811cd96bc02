/** cancel: stop a run before its cutover and remove what it built. */
import { z } from "zod";
import { cancel } from "../../operations/cancel.ts";
import { readRun } from "../../operations/runs.ts";
import { defineCommand } from "../command.ts";
import { executeRun } from "../execute-run.ts";
import { runNumberInput } from "../run-number.ts";
import { runArgument } from "../words.ts";

export const cancelCommand = defineCommand({
  name: "cancel",
  group: "At 3 a.m.",
  summary: "stop a run, remove what it built",
  about: [
    "Takes back, step by step, what a run that has ended badly, was interrupted or waits has built: restored copies, started processes, " +
      "working files. What is live stays as it is. Refused once traffic was admitted to the new side: undo it instead.",
    "A run that a process still executes is stopped where it runs, by Ctrl-C.",
  ],
  arguments: [runArgument],
  options: [],
  examples: [{ line: "refloat cancel 42", about: "end run 42 and drop what it restored" }],
  exits: [3, 4, 6, 7],
  input: z.object({ run: runNumberInput }),
  act: async ({ run }, context) => {
    const bench = await context.bench();
    const { plan, record } = await readRun(bench, run);
    return executeRun(context, bench, { plan, record }, (listener) =>
      cancel(bench, { run, listener, signal: context.signal }),
    );
  },
});
