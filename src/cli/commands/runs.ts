/** runs: list runs, print the report of one, follow one. */
import { z } from "zod";
import { eventEnvelope } from "../../contract/envelope.ts";
import { nullWhenDown } from "../../core/components/null-when-down.ts";
import type { Workbench } from "../../core/ports/workbench.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { followRun } from "../../operations/follow-run.ts";
import { type RunDetail, listRuns, readRun, readStillOff } from "../../operations/runs.ts";
import { waitingWords } from "../../core/run/waiting-words.ts";
import { renderRuns } from "../../render/runs-screen.ts";
import { type CommandContext, answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { runNumberInput } from "../run-number.ts";
import { showRuns } from "../run-progress.ts";
import { answerRun } from "../run-report.ts";
import { writeRunPage } from "../write-run-page.ts";
import { runArgument } from "../words.ts";

export const runsCommand = defineCommand({
  name: "runs",
  group: "At 3 a.m.",
  summary: "list runs; follow one; print its report",
  about: [
    "Without a number: all runs of this machine, newest first. With one: its report as it stands, with what it lost, how long each phase " +
      "took and what is kept. Ends with 0 whatever became of the run.",
    "--follow watches a run that another process executes until it ends or waits; without a number, the newest one. How far a step has " +
      "come is seen only where the run was started. Ctrl-C ends the watching; the run goes on.",
    "--html writes the report as a page with a chart of planned against actual, light and dark, without a script and without anything from elsewhere. Names of tables " +
      "and answers of servers stand in it, so who may read it should be thought of; the file is readable by you only.",
  ],
  arguments: [{ ...runArgument, required: false }],
  options: [
    { name: "follow", about: "watch it until it ends or waits" },
    {
      name: "html",
      value: "FILE",
      about: "write the report as one page that needs nothing beside it; - for standard output",
      completes: "files",
    },
  ],
  examples: [
    { line: "refloat runs", about: "all runs" },
    { line: "refloat runs 42", about: "the report of run 42" },
    {
      line: "refloat runs 42 --html run-42.html",
      about: "a page to keep or to send: planned against actual, losses, evidence",
    },
    { line: "refloat runs --follow", about: "watch, from another window, the run that goes on" },
  ],
  exits: [4, 7],
  input: z.object({
    run: runNumberInput.nullable().default(null),
    follow: z.boolean().default(false),
    html: z.string().min(1).nullable().default(null),
  }),
  act: async ({ run, follow, html }, context) => {
    const { output } = context;
    const bench = await context.bench();
    if (run === null && !follow) {
      if (html !== null) {
        throw new RefloatError("usage", "--html writes the report of one run, and none is named", {
          nextCommand: "refloat runs",
        });
      }
      const runs = await listRuns(bench, null);
      const now = bench.clock.now().toISOString();
      const words = await waitingWords(await bench.journal(), runs);
      return answer("runs", runs, renderRuns(runs, words, now, output.screen(bench.host.timeZone)));
    }
    const number = run ?? (await newestRun(bench));
    if (follow) await watch(number, bench, context);
    const detail = await readRun(bench, number);
    return html === null
      ? answerRun(detail, bench, output, output.json ? null : await stillOff(detail, bench, context))
      : writeRunPage(html, detail, bench, context);
  },
});

/** Asked for the words alone, which --json has not: a report is to be read also where nothing of the service answers. */
const stillOff = (detail: RunDetail, bench: Workbench, { output, signal }: CommandContext) =>
  during(output, bench.clock, "asking what is off", () =>
    nullWhenDown(signal, () => readStillOff(bench, detail, signal)),
  );

const newestRun = async (bench: Workbench): Promise<RunNumber> => {
  const [newest] = await listRuns(bench, null);
  if (newest !== undefined) return newest.number;
  throw new RefloatError("run.unknown", "there is no run to follow yet", { nextCommand: "refloat status" });
};

const watch = async (run: RunNumber, bench: Workbench, { output, signal }: CommandContext): Promise<void> => {
  const detail = await readRun(bench, run);
  const known = detail.events.flatMap((event) => (event.type === "progress" ? [] : [event.sequence]));
  output.event(eventEnvelope("plan", detail.plan));
  const progress = showRuns(output, bench, [detail]);
  try {
    for await (const event of followRun(bench, { run, afterSequence: Math.max(0, ...known), signal })) {
      output.event(eventEnvelope("run", event));
      progress.apply(event);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new RefloatError("interrupted", `run ${run} is not watched any more`, {
      cause: error,
      state: "the run goes on: only the watching has ended",
      nextCommand: `refloat runs ${run} --follow`,
    });
  } finally {
    progress.stop();
  }
};
