/** The report of a run, as of its end or as of now. */
import type { Workbench } from "../core/ports/workbench.ts";
import { summarizeRun } from "../core/run/run-summary.ts";
import type { RunDetail } from "../operations/runs.ts";
import { renderRunReport } from "../render/run-report.ts";
import type { Output } from "./output.ts";

export const runReport = ({ record, plan, events }: RunDetail, { clock, host }: Workbench, output: Output): string => {
  const now = record.endedAt ?? clock.now().toISOString();
  return renderRunReport(summarizeRun(record, plan, events, now), plan, now, output.screen(host.timeZone));
};
