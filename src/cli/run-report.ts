/** What a run came to, as of its end or as of now: the report for people, the numbers for scripts, the error when it ended badly. */
import type { Workbench } from "../core/ports/workbench.ts";
import { summarizeRun } from "../core/run/run-summary.ts";
import type { RefloatError } from "../model/refloat-error.ts";
import type { RunDetail } from "../operations/runs.ts";
import { renderRunReport } from "../render/run-report.ts";
import { type CommandResult, answer } from "./command.ts";
import type { Output } from "./output.ts";

/** @param error null for who only looks: that a run failed is no failure of looking at it */
export const answerRun = (
  detail: RunDetail,
  { clock, host }: Workbench,
  output: Output,
  error: RefloatError | null,
): CommandResult => {
  const { record, plan, events } = detail;
  const now = record.endedAt ?? clock.now().toISOString();
  const summary = summarizeRun(record, plan, events, now);
  return answer(
    "run",
    { ...detail, summary },
    renderRunReport(summary, plan, now, output.screen(host.timeZone)),
    error,
  );
};
