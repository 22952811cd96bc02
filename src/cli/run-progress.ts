/** A run as it goes on, by its events: frames on a terminal, a line for each step that changed elsewhere. */
import type { Workbench } from "../core/ports/workbench.ts";
import { type RunView, advanceRunView, beginRunView } from "../core/run-view/run-view.ts";
import type { Plan } from "../model/plan.ts";
import type { RunEvent, RunRecord } from "../model/run.ts";
import { renderRunFrame, renderRunLine, renderStepLine } from "../render/run-frame.ts";
import type { Screen } from "../render/screen.ts";
import { showProgress } from "./live-progress.ts";
import type { Output } from "./output.ts";

export type RunProgress = {
  readonly apply: (event: RunEvent) => void;
  readonly stop: () => void;
};

/** @param known null for a run that only the vault knows as yet: its plan is read when it speaks for the first time */
export const showRun = (
  output: Output,
  bench: Workbench,
  known: { readonly plan: Plan; readonly record: RunRecord | null } | null,
): RunProgress => {
  let view: RunView | null = known === null ? null : beginRunView(known.plan, known.record);
  let reading = false;
  const now = (): string => bench.clock.now().toISOString();
  const screen = () => output.errorScreen(bench.host.timeZone);
  const progress = showProgress(output, {
    frame: () => (view === null ? "reading the run from the vault ..." : renderRunFrame(view, now(), screen())),
    line: () => (view === null ? "reading the run from the vault ..." : renderRunLine(view, now(), screen())),
  });

  const readPlan = async (event: RunEvent): Promise<void> => {
    const { record, plan } = await (await bench.journal()).readRun(event.run);
    view = beginRunView(plan, record);
  };

  return {
    apply: (event) => {
      if (view === null) {
        // The picture is a convenience: where it cannot be drawn the run goes on, and its end is told by the journal.
        if (!reading) void readPlan(event).catch(() => undefined);
        reading = true;
        return;
      }
      view = advanceRunView(view, event);
      if (event.type === "step" && event.state !== "pending")
        progress.told(renderStepLine(view, event.step, now(), screen()));
      if (event.type === "run" && event.message !== undefined) progress.told(`run ${event.run}: ${event.message}`);
    },
    stop: () => {
      progress.stop();
      // The frame is gone; what each step came to stays on the screen.
      if (output.live && view !== null) output.note(endedSteps(view, now(), screen()));
    },
  };
};

const endedSteps = (view: RunView, now: string, screen: Screen): string =>
  view.graph.order
    .filter((id) => view.steps.get(id)?.state !== "pending")
    .map((id) => renderStepLine(view, id, now, screen))
    .join("\n");
