/** Tells of runs that wait for somebody, before any other output of any command. */
import type { Workbench } from "../core/ports/workbench.ts";
import { wordsAfterStop } from "../core/run/words-after-stop.ts";
import { toRefloatError } from "../model/refloat-error.ts";
import type { RunRecord, StepRecord } from "../model/run.ts";
import { type UnfinishedRun, unfinishedRuns } from "../operations/unfinished-runs.ts";
import { formatTime } from "../render/clock-times.ts";
import { type Screen, nextLine } from "../render/screen.ts";
import type { Output } from "./output.ts";

/** @param about the run that the command is given for; its reader knows of it */
export const tellUnfinishedRuns = async (bench: Workbench, output: Output, about: number | null): Promise<void> => {
  try {
    for (const run of await unfinishedRuns(bench)) {
      if (run.record.number === about) continue;
      output.note(`${unfinishedText(run, bench.clock.now().toISOString(), output.errorScreen(bench.host.timeZone))}\n`);
    }
  } catch (error) {
    // The command may not need the journal at all (validate): it is told, and goes on.
    const { code, message } = toRefloatError(error);
    if (code === "bug") throw error;
    output.note(`warning ${code}: whether a run waits to be resumed cannot be said: ${message}\n`);
  }
};

/** `run 42 of shop was interrupted after 16:13:02: 2 of 7 steps done, live untouched`, what was running, and what to type. */
export const unfinishedText = (run: UnfinishedRun, now: string, screen: Screen): string => {
  const { timeZone } = screen;
  const { record } = run;
  const live = whatIsLive(run);
  const running = record.steps.filter(({ state }) => ["running", "interrupted", "compensating"].includes(state));
  return [
    `run ${record.number} of ${record.service} ${headOf(record, now, timeZone)}, ${live}`,
    ...(record.state === "interrupted" && running.length > 0 ? [`  ${wereRunning(running)}, safe to repeat`] : []),
    nextLine(screen, ...wordsAfterStop(record, run.plan.intent.steps)),
  ].join("\n");
};

const headOf = (record: RunRecord, now: string, timeZone: string): string => {
  const done = `${record.steps.filter(({ state }) => state === "done").length} of ${record.steps.length} steps done`;
  if (record.state === "waiting") return `waits for an answer: ${record.message ?? done}`;
  if (record.state === "needs-operator") return `needs a person: ${record.message ?? done}`;
  const known = record.steps.flatMap(({ beganAt, endedAt }) => [beganAt, endedAt]).filter((time) => time !== null);
  const last = known.sort().at(-1) ?? record.beganAt;
  const meanwhile = { forward: "", undo: " while it was undone", cancel: " while it was cancelled" }[record.direction];
  return `was interrupted${meanwhile} after ${formatTime(last, now, timeZone)}: ${done}`;
};

const wereRunning = (steps: readonly StepRecord[]): string =>
  `${steps.map(({ id }) => `"${id.replaceAll(/[:-]/g, " ")}"`).join(", ")} ${steps.length === 1 ? "was" : "were"} running`;

const untouched = "live untouched";

/** Only what the steps of the cutover do is seen by users. */
export const whatIsLive = ({ record, plan }: UnfinishedRun): string => {
  const began = new Set(record.steps.filter(({ state }) => state !== "pending").map(({ id }) => id));
  const inCutover = plan.intent.steps.some(({ id, phase }) => phase === "cutover" && began.has(id));
  return inCutover ? "in the middle of the cutover: users may notice" : untouched;
};
