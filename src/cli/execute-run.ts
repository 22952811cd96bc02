/** Executes a run in front of a person: live picture, lines or events on the way, report and exit code at the end. */
import type { RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { Plan } from "../model/plan.ts";
import type { RunEvent, RunRecord } from "../model/run.ts";
import { readRun } from "../operations/runs.ts";
import type { CommandContext, CommandResult } from "./command.ts";
import { exitOfRun } from "./exit-code.ts";
import { progressEvent } from "./json-envelope.ts";
import { showProgress } from "./live-progress.ts";

export const executeRun = async (
  { output }: CommandContext,
  bench: Workbench,
  plan: Plan | null,
  before: RunRecord | null,
  act: (listener: RunListener) => Promise<RunRecord>,
): Promise<CommandResult> => {
  let last = "";
  const progress = showProgress(output, { frame: () => last, line: () => last });
  const listener = (event: RunEvent): void => {
    output.event(progressEvent("run", event));
    if (event.type === "step") progress.told((last = `${event.state} ${event.step}`));
  };
  try {
    const record = await act(listener);
    const detail = await readRun(bench, record.number);
    return { kind: "run", data: detail, text: `run ${record.number} ${record.state}`, exit: exitOfRun(record.state) };
  } finally {
    progress.stop();
  }
};
