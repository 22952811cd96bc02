/** Executes runs in front of a person: a live picture, lines or events on the way, the reports and the exit code at the end. */
import { eventEnvelope } from "../contract/envelope.ts";
import type { RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { RunRecord } from "../model/run.ts";
import { type RunDetail, readRun } from "../operations/runs.ts";
import type { CommandContext, CommandResult } from "./command.ts";
import { type KnownRun, showRuns } from "./run-progress.ts";
import { answerRuns } from "./run-report.ts";

/** @param known those that are executed together; null for a run that only the vault knows as yet */
export const executeRuns = async (
  { output }: CommandContext,
  bench: Workbench,
  known: readonly KnownRun[] | null,
  act: (listener: RunListener) => Promise<readonly RunRecord[]>,
): Promise<CommandResult> => {
  const progress = showRuns(output, bench, known);
  try {
    const records = await act((event) => {
      output.event(eventEnvelope("run", event));
      progress.apply(event);
    });
    const details: RunDetail[] = [];
    for (const { number } of records) details.push(await readRun(bench, number));
    return answerRuns(details, bench, output);
  } finally {
    progress.stop();
  }
};

export const executeRun = (
  context: CommandContext,
  bench: Workbench,
  known: KnownRun,
  act: (listener: RunListener) => Promise<RunRecord>,
): Promise<CommandResult> => executeRuns(context, bench, [known], async (listener) => [await act(listener)]);
