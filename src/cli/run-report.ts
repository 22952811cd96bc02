/** What a run came to, as of its end or as of now: the report for people, the numbers for scripts, the error when it ended badly. */
import type { Workbench } from "../core/ports/workbench.ts";
import { summarizeRun } from "../core/run/run-summary.ts";
import type { DisarmedComponent } from "../model/arming.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunDetail } from "../operations/runs.ts";
import { renderRunReport } from "../render/run-report.ts";
import { type CommandResult, answer } from "./command.ts";
import type { Output } from "./output.ts";
import { runError } from "./run-error.ts";

/** For who only looks: that a run failed is no failure of looking at it. */
export const answerRun = (
  detail: RunDetail,
  bench: Workbench,
  output: Output,
  stillOff: readonly DisarmedComponent[] | null,
): CommandResult => {
  const { data, text } = reportRun(detail, bench, output, stillOff);
  return answer("run", data, text);
};

/** Of runs that were executed together: the answer is the one that a person asked for, or the only one. */
export const answerRuns = (details: readonly RunDetail[], bench: Workbench, output: Output): CommandResult => {
  const reports = details.map((detail) => ({ ...reportRun(detail, bench, output), error: runError(detail) }));
  const main = reports.find(({ data: { record } }) => record.joint?.asked === record.service) ?? reports.at(-1);
  if (main === undefined) throw new RefloatError("bug", "nothing was executed");
  // What another one waits for in vain failed first, and says why.
  const failed = reports.map(({ error }) => error).find((error) => error !== null) ?? null;
  const together = reports.filter((report) => report !== main).map(({ data }) => data);
  return answer(
    "run",
    together.length === 0 ? main.data : { ...main.data, together },
    reports.map(({ text }) => text).join("\n\n"),
    failed,
  );
};

const reportRun = (
  detail: RunDetail,
  { clock, host }: Workbench,
  output: Output,
  stillOff: readonly DisarmedComponent[] | null = null,
) => {
  const { record, plan, events } = detail;
  const now = record.endedAt ?? clock.now().toISOString();
  const summary = summarizeRun(record, plan, events, now);
  return {
    data: { ...detail, summary },
    text: renderRunReport(
      stillOff === null ? summary : { ...summary, disarmed: stillOff },
      plan,
      now,
      output.screen(host.timeZone),
    ),
  };
};
