/** What the verbs that speak to a run share: saying it, and telling what follows. */
import { type RunWordRequest, tellRun } from "../operations/tell-run.ts";
import { lines, nextLine } from "../render/screen.ts";
import { type CommandContext, type CommandResult, answer } from "./command.ts";
import { during } from "./live-progress.ts";

const saidOf = {
  yes: "approved",
  no: "refused",
  override: "OVERRIDDEN, which the run's report and the audit log tell",
  done: "done",
  failed: "not done: the run stops there",
  skip: "skipped",
  pause: "it pauses before its next step; steps under way end first",
} as const satisfies Record<RunWordRequest["says"], string>;

export const sayToRun = async (context: CommandContext, request: RunWordRequest): Promise<CommandResult> => {
  const { output } = context;
  const bench = await context.bench();
  const told = await during(output, bench.clock, "telling the run", () => tellRun(bench, request));
  const about = told.step === null ? "" : ` ${told.step}`;
  const goesOn = told.state === "running";
  const next = goesOn || told.says === "pause" ? `refloat runs ${told.run} --follow` : `refloat resume ${told.run}`;
  return answer(
    "run-word",
    told,
    lines(
      `run ${told.run} of ${told.service}${about}: ${saidOf[told.says]}, by ${told.by}`,
      told.missing === null ? null : `still needs ${told.missing}`,
      goesOn || told.says === "pause" ? null : `nobody executes the run now (${told.state})`,
      nextLine(output.screen(bench.host.timeZone), told.missing === null ? next : `refloat runs ${told.run}`),
    ),
  );
};
