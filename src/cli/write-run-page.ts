/** The report of a run as a page, into a file or to standard output; the answer for scripts is that of `runs RUN`. */
import { resolve } from "node:path";
import type { Workbench } from "../core/ports/workbench.ts";
import { summarizeRun } from "../core/run/run-summary.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunDetail } from "../operations/runs.ts";
import { writeFileAtomically } from "../platform/atomic-file.ts";
import { describeSystemError } from "../platform/system-error.ts";
import { renderRunPage } from "../render/run-page/run-page.ts";
import type { CommandContext, CommandResult } from "./command.ts";
import { answerRun } from "./run-report.ts";

/** @param target a path, from where the command was typed, or `-` @throws RefloatError output.failed */
export const writeRunPage = async (
  target: string,
  detail: RunDetail,
  bench: Workbench,
  { output, shell }: CommandContext,
): Promise<CommandResult> => {
  if (target === "-" && output.json) {
    throw new RefloatError("usage", "--json and --html - both want standard output", { hint: "--html FILE" });
  }
  const { record, plan, events } = detail;
  const { hostname, toolVersion, timeZone } = bench.host;
  const now = record.endedAt ?? bench.clock.now().toISOString();
  const page = renderRunPage({
    record,
    plan,
    events,
    summary: summarizeRun(record, plan, events, now),
    now,
    timeZone,
    madeBy: { version: toolVersion, hostname },
  });
  const answered = answerRun(detail, bench, output, null);
  if (target === "-") return { ...answered, text: page.trimEnd() };
  const path = resolve(shell.currentDirectory, target);
  try {
    await writeFileAtomically(path, page);
  } catch (error) {
    throw new RefloatError("output.failed", `the page could not be written to ${path}: ${describeSystemError(error)}`, {
      cause: error,
      state: "nothing was changed",
    });
  }
  return { ...answered, text: `the report of run ${record.number} is in ${path}` };
};
