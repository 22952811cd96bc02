/** undo: put the old side back. */
import { z } from "zod";
import { recover } from "../../operations/recover.ts";
import { type UndoRequest, planJointUndo, planUndo } from "../../operations/undo.ts";
import type { Workbench } from "../../core/ports/workbench.ts";
import { formatList } from "../../core/text/quantity.ts";
import { type CommandContext, type CommandResult, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { executeRun } from "../execute-run.ts";
import { planning } from "../live-progress.ts";
import { runNumberInput } from "../run-number.ts";
import { executeJointly } from "../recover-jointly.ts";
import { showJointPlan, showPlan } from "../show-plan.ts";
import { runArgument } from "../words.ts";

export const undoCommand = defineCommand({
  name: "undo",
  group: "At 3 a.m.",
  summary: "put the old side back",
  about: [
    "Puts the side that served before a run back behind the names that users reach the service by. Free of loss until the new side has " +
      "taken its first write; after that it is refused, with what would be lost listed and exported, until --accept-loss says that it may be.",
    "Shows its plan and asks, as recover does. An undo is a run of its own: it is journaled, and resumed after a crash.",
  ],
  arguments: [runArgument],
  options: [
    {
      name: "accept-loss",
      about:
        "undo although the new side has taken writes; a point of the new side is taken first, so that nothing is gone for good",
    },
    {
      name: "with-needs",
      about:
        "take back all services that were recovered together with this run, in one plan, what was put back last first; without it this service alone",
    },
  ],
  examples: [
    { line: "refloat undo 42", about: "shows what it would do, and asks" },
    { line: "refloat undo 42 --with-needs", about: "and what was recovered together with it" },
    { line: "refloat undo 42 --accept-loss --yes", about: "for a script, with new writes left behind" },
  ],
  exits: [3, 4, 5, 6, 7],
  input: z.object({
    run: runNumberInput,
    acceptLoss: z.boolean().default(false),
    withNeeds: z.boolean().default(false),
  }),
  act: async ({ run, acceptLoss, withNeeds }, context) => {
    const { output, signal } = context;
    const bench = await context.bench();
    if (withNeeds) return undoWithNeeds(context, bench, { run, acceptLoss });
    const plan = await planning(context, bench.clock, "looking for new writes", () =>
      planUndo(bench, { run, acceptLoss }, signal),
    );
    await showPlan(plan, bench, output);
    await requireYes(context, {
      question: `Undo run ${run} now?`,
      unasked: "an undo changes what is live",
      nextCommand: `refloat undo ${run}${acceptLoss ? " --accept-loss" : ""} --yes`,
    });
    return executeRun(context, bench, { plan, record: null }, (listener) =>
      recover(bench, { plan, incidentAt: null, listener, signal }),
    );
  },
});

const undoWithNeeds = async (
  context: CommandContext,
  bench: Workbench,
  request: UndoRequest,
): Promise<CommandResult> => {
  const { output, signal } = context;
  const joint = await planning(context, bench.clock, "looking for new writes", () =>
    planJointUndo(bench, request, signal),
  );
  await showJointPlan(joint, bench, output);
  await requireYes(context, {
    question: `Take ${formatList(joint.parts.map(({ intent }) => intent.service))} back now?`,
    unasked: "an undo changes what is live",
    nextCommand: `refloat undo ${request.run} --with-needs${request.acceptLoss ? " --accept-loss" : ""} --yes`,
  });
  return executeJointly(context, bench, joint, null);
};
