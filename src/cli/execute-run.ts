/** Executes a run in front of a person: a live picture, lines or events on the way, the report and the exit code at the end. */
import { eventEnvelope } from "../contract/envelope.ts";
import type { RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { Plan } from "../model/plan.ts";
import type { RunRecord } from "../model/run.ts";
import { readRun } from "../operations/runs.ts";
import type { CommandContext, CommandResult } from "./command.ts";
import { showRun } from "./run-progress.ts";
import { answerRun } from "./run-report.ts";
import { runError } from "./run-error.ts";

export type RunToExecute = {
  /** Null for a run that only the vault knows as yet. */
  readonly plan: Plan | null;
  /** Of a run that is taken up again. */
  readonly record: RunRecord | null;
};

export const executeRun = async (
  { output }: CommandContext,
  bench: Workbench,
  { plan, record: before }: RunToExecute,
  act: (listener: RunListener) => Promise<RunRecord>,
): Promise<CommandResult> => {
  const progress = showRun(output, bench, plan === null ? null : { plan, record: before });
  try {
    const { number } = await act((event) => {
      output.event(eventEnvelope("run", event));
      progress.apply(event);
    });
    const detail = await readRun(bench, number);
    return answerRun(detail, bench, output, runError(detail));
  } finally {
    progress.stop();
  }
};
